import { beforeAll, describe, expect, test, vi } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { addressBudget, spend } from "../../../src/worker/gateway/rate-limits.ts";
import {
  ADDRESS_LIMIT,
  KEY_LIMIT,
  PURGE_LIMIT,
  type RateLimit,
  WRITE_LIMIT,
} from "../../../src/worker/shared/limits.ts";
import { useApi } from "../../support/api.ts";
import { bearer, randomToken, useRecords } from "../../support/records.ts";
import { errorOf } from "../../support/response.ts";

/** Fewer than wrangler.toml's: a busy machine must send them within one window. */
const LIMITS = { KEY_LIMIT: 20, ADDRESS_LIMIT: 30 };
/** So many at once are sooner done, and the database can do them. */
const AT_ONCE = 10;

const api = useApi({ limits: LIMITS });
const records = useRecords();
let companyId: string;
beforeAll(async () => {
  companyId = await records.company();
});

/**
 * Sends until one is refused. The windows are fixed: as many requests as the limit may pass in each.
 *
 * @returns the refusal, once `limit` requests have passed, and no more if all were in one window
 */
async function sendUntilRefused(send: () => Promise<Response>, limit: number, { periodSeconds }: RateLimit) {
  const window = () => Math.floor(Date.now() / (periodSeconds * 1_000));
  const startedIn = window();
  for (let passed = 0; ; ) {
    const responses = await Promise.all(Array.from({ length: AT_ONCE }, send));
    const refused = responses.filter(({ status }) => status === 429);
    passed += responses.length - refused.length;
    expect(passed).toBeLessThanOrEqual((window() - startedIn + 1) * limit);
    const [response] = refused;
    for (const one of responses) if (one !== response) await one.arrayBuffer();
    if (response === undefined) continue;
    expect(passed).toBeGreaterThanOrEqual(limit);
    return response;
  }
}

/** From an address that no other test has: they share the rate limits of one isolate. */
const readKey = (address: string, token: string) =>
  api.fetch("/v3/api-keys/me", { headers: { "cf-connecting-ip": address, ...bearer(token).headers } });

test("the rate limit of a key is told with every response, refuses what is beyond it, and leaves other keys", async () => {
  const [{ token }, other] = [await records.key(companyId), await records.key(companyId)];
  const { headers } = await readKey("198.51.100.1", other.token);
  expect(headers.get("ratelimit-policy")).toBe('"key";q=67;w=10');
  expect(headers.get("x-ratelimit-limit")).toBe("67");
  // Nobody can tell these: the binding says only yes or no.
  for (const name of ["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"]) expect(headers.has(name)).toBe(false);

  let n = 0;
  // From many addresses, so that it is the key's limit that is met.
  const refused = await sendUntilRefused(() => readKey(`192.0.2.${n++ % 200}`, token), LIMITS.KEY_LIMIT, KEY_LIMIT);
  expect((await errorOf(refused, 429)).data.message).toBe("The limit is 67 requests in 10 seconds.");
  expect(Object.fromEntries(refused.headers)).toMatchObject({
    "retry-after": "10",
    "x-ratelimit-limit": "67",
    "x-ratelimit-reset": "10",
    "ratelimit-policy": '"key";q=67;w=10',
    ratelimit: '"key";r=0;t=10',
  });
  expect((await readKey("192.0.2.251", other.token)).status).toBe(200);
});

test("the rate limit of an address cuts a flood of unknown keys off before the database", async () => {
  let unauthorized = 0;
  const flood = async () => {
    const response = await readKey("203.0.113.9", randomToken());
    if (response.status === 401) unauthorized++;
    return response;
  };
  const before = api.queries();
  const { headers } = await sendUntilRefused(flood, LIMITS.ADDRESS_LIMIT, ADDRESS_LIMIT);
  // The others are those that a database too slow for ten at once was not asked for.
  expect(api.queries() - before).toBe(unauthorized);
  expect(headers.get("ratelimit-policy")).toBe('"address";q=167;w=10');
  expect((await readKey("203.0.113.10", randomToken())).status).toBe(401);
});

test.for([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8::ffff:1", "2001:db8:0:0::/64"],
  ["2001:0DB8:0000:0000:1:2:3:4", "2001:db8:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:C000:201", "192.0.2.1"],
  ["::ffff:0:192.0.2.1", "0:0:0:0::/64"],
  ["no address", "no address"],
  ["1::", "1:0:0:0::/64"],
] as const)("the address %s has the rate limit of %s", ([address, expected]) => {
  expect(addressBudget(address)).toBe(expected);
});

test("the rate limit of purges counts those who guess the secret", async () => {
  const headers = { "cf-connecting-ip": "198.51.100.77", authorization: "Bearer x" };
  const guess = () => api.fetch("/ops/purge", { method: "POST", headers });
  const refused = await sendUntilRefused(guess, PURGE_LIMIT.requests, PURGE_LIMIT);
  expect((await errorOf(refused, 429)).data.message).toBe("The limit is 10 requests in 60 seconds.");
});

test("wrangler.toml counts what clients are told", () => {
  const { ratelimits } = readConfig({ config: "wrangler.toml" });
  const simple = ({ requests, periodSeconds }: RateLimit) => ({ limit: requests, period: periodSeconds });
  expect(ratelimits).toEqual(
    [KEY_LIMIT, WRITE_LIMIT, ADDRESS_LIMIT, PURGE_LIMIT].map((limit) =>
      expect.objectContaining({ name: limit.binding, simple: simple(limit) }),
    ),
  );
});

describe("a limit that cannot be counted lets requests pass, and says so once,", () => {
  test.for([
    ["failing", { KEY_LIMIT: { limit: () => Promise.reject(new Error("SECRET")) } }],
    ["missing", {}],
  ] as const)("where the binding is %s", async ([state, env]) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    for (const key of ["a", "b"]) await spend(KEY_LIMIT, env, key);
    expect(warn.mock.calls).toStrictEqual([
      [JSON.stringify({ level: "warn", event: "no_rate_limit", binding: "KEY_LIMIT", state })],
    ]);
    warn.mockRestore();
  });
});
