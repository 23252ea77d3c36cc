import { describe, expect, test } from "vitest";
import { RefusalSampler } from "../../../src/worker/gateway/refusals.ts";
import { useApi } from "../../support/api.ts";

/** Which of so many refusals in a row have a line, and how many each says were left out. */
const linesOf = (sampler: RefusalSampler, count: number, at: number) =>
  Array.from({ length: count }, (_, n) => [n + 1, sampler.admit("missing_key", at)] as const).filter(
    ([, leftOut]) => leftOut !== undefined,
  );

describe("refusals in the log", () => {
  const FIRST = Array.from({ length: 10 }, (_, n) => [n + 1, 0]);

  test("are the first ten of a reason in a minute, and then one in a hundred, which tells of the others", () => {
    expect(linesOf(new RefusalSampler(), 250, 0)).toStrictEqual([...FIRST, [100, 89], [200, 99]]);
  });

  test("begin anew with the next minute, whose first line tells of those before", () => {
    const sampler = new RefusalSampler();
    linesOf(sampler, 50, 0);
    expect(linesOf(sampler, 50, 59_999)).toStrictEqual([[50, 89]]);
    sampler.admit("missing_key", 59_999);
    expect(linesOf(sampler, 11, 60_000)).toStrictEqual([[1, 1], ...FIRST.slice(1)]);
  });

  test("of one reason do not count for another", () => {
    const sampler = new RefusalSampler();
    linesOf(sampler, 50, 0);
    expect(sampler.admit("rate_limited", 0)).toBe(0);
  });
});

/** Of its own: the sample is of the refusals of a minute. */
const api = useApi({ isOwn: true });

test("a flood of refusals has a line for a sample of them and a data point for each, and faults have a line each", async () => {
  const linesOf = async (status: number) =>
    (await api.logs()).map((line) => JSON.parse(line)).filter((line) => line.status === status);
  await api.set({ DATABASE_URL: "neither" });
  for (let n = 0; n < 15; n++) expect((await api.fetch("/health")).status).toBe(500);
  expect(await linesOf(500)).toHaveLength(15);

  await api.set({});
  for (let n = 0; n < 100; n++) expect((await api.fetch("/v3/applications")).status).toBe(401);
  expect((await linesOf(401)).map(({ event, reason, leftOut }) => [event, reason, leftOut])).toStrictEqual([
    ...Array<unknown>(10).fill(["request", "missing_key", undefined]),
    ["request", "missing_key", 89],
  ]);
  expect((await api.dataPoints()).filter(({ reason }) => reason === "missing_key")).toHaveLength(100);
});
