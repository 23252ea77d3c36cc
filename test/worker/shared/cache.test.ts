import { describe, expect, test } from "vitest";
import { clientHeaders, edgeHeaders, edgeNotFoundHeaders } from "../../../src/worker/shared/cache.ts";

const POLICY = {
  freshSeconds: 3_600,
  freshWithoutFeedSeconds: 30,
  staleWhileRevalidateSeconds: 40,
  staleIfErrorSeconds: 500,
  notFoundSeconds: 5,
  resourceTypesFreshSeconds: 300,
};
const cacheable = (isFeedHealthy: boolean, secondsLeft: number | null) => ({
  isFeedHealthy,
  secondsLeft,
  tags: ["key:1", "process:2"],
});
const publicFor = (fresh: number, revalidate: number, onError: number) => ({
  "cache-control": `public, max-age=${fresh}, stale-while-revalidate=${revalidate}, stale-if-error=${onError}`,
  "cache-tag": "key:1,process:2",
});
const NO_STORE = { "cache-control": "no-store" };

describe("the edge may reuse a response", () => {
  test.for([
    ["for long while the feed purges", true, null, publicFor(3_600, 40, 500)],
    ["briefly without it", false, null, publicFor(30, 40, 500)],
    ["in full before an expiry that is far away", false, 250_000_000_000, publicFor(30, 40, 500)],
    ["stale until the key expires", true, 3_610.9, publicFor(3_600, 10, 10)],
    ["fresh until the key expires", false, 20.9, publicFor(20, 0, 0)],
    ["not at all in the last second of a key", false, 0.9, NO_STORE],
    ["not at all after a key has expired", true, -1, NO_STORE],
  ] as const)("%s", ([_, isFeedHealthy, secondsLeft, expected]) => {
    expect(edgeHeaders(POLICY, cacheable(isFeedHealthy, secondsLeft))).toStrictEqual(expected);
  });

  test("not at all if it may be fresh for no second", () => {
    for (const isFeedHealthy of [true, false]) {
      const nothing = { ...POLICY, freshSeconds: 0 };
      expect(edgeHeaders(nothing, cacheable(isFeedHealthy, null))).toStrictEqual(NO_STORE);
      expect(edgeNotFoundHeaders(nothing, cacheable(isFeedHealthy, null))).toStrictEqual(NO_STORE);
    }
  });

  test("that something was not found for five seconds, and never stale", () => {
    expect(edgeNotFoundHeaders(POLICY, cacheable(true, null))).toStrictEqual(publicFor(5, 0, 0));
    expect(edgeNotFoundHeaders(POLICY, cacheable(false, 3.5))).toStrictEqual(publicFor(3, 0, 0));
  });
});

test("a hit says how long it stays fresh only where its age is known", () => {
  const statusOf = (others: Record<string, string>) =>
    clientHeaders(new Headers({ "cf-cache-status": "HIT", "cache-control": "max-age=30", ...others }), null)[
      "cache-status"
    ];
  expect(statusOf({ age: "10" })).toBe("process-api; hit; ttl=20");
  expect(statusOf({})).toBe("process-api; hit");
});
