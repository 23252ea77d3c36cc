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

test("a flood of refusals has a line for a sample of them, all of them are counted, and faults have a line each", async () => {
  await api.set({ DATABASE_URL: "neither" });
  for (let n = 0; n < 15; n++) expect((await api.fetch("/health")).status).toBe(500);
  const faults = api.logs().filter((line) => line.includes('"status":500'));
  expect(faults.length).toBe(15);

  await api.set({});
  for (let n = 0; n < 100; n++) expect((await api.fetch("/v3/applications")).status).toBe(401);
  const lines = api
    .logs()
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === "request");
  expect(lines.map(({ reason, leftOut }) => [reason, leftOut])).toStrictEqual([
    ...Array.from({ length: 10 }, () => ["missing_key", undefined]),
    ["missing_key", 89],
  ]);
  expect((await api.dataPoints()).filter(({ reason }) => reason === "missing_key").length).toBe(100);
});
