import { beforeAll, describe, expect, test, vi } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { addressBudget, spend } from "../../../src/worker/gateway/limits.ts";
import {
  ADDRESS_LIMIT,
  KEY_LIMIT,
  PURGE_LIMIT,
  type RateLimit,
  WRITE_LIMIT,
} from "../../../src/worker/shared/limits.ts";
import { useApi } from "../../support/api.ts";
import { isError } from "../../support/contract.ts";
import { bearer, randomToken, useRecords } from "../../support/records.ts";

type Ratelimit = { name: string; simple: { limit: number; period: number } };

/** Fewer than wrangler.toml's, to be sooner there. */
const ADDRESSES = 80;

const api = useApi({ limits: { ADDRESS_LIMIT: ADDRESSES } });
/** Has no bindings for them. */
const unlimited = useApi({ isOwn: true });
const records = useRecords();
let companyId: string;
beforeAll(async () => {
  companyId = await records.company();
});

/** So many at once are sooner done, and the database can do them. */
const AT_ONCE = 10;

/** Sends until one is refused. Windows are fixed, and each has a budget of its own. */
async function passedUntilRefused(send: () => Promise<Response>, budget: number, { periodSeconds }: RateLimit) {
  const window = () => Math.floor(Date.now() / (periodSeconds * 1_000));
  const startedIn = window();
  let passed = 0;
  for (;;) {
    const responses = await Promise.all(Array.from({ length: AT_ONCE }, send));
    const windows = window() - startedIn + 1;
    const refused = responses.filter(({ status }) => status === 429);
    passed += responses.length - refused.length;
    expect(passed).toBeLessThanOrEqual(windows * budget);
    const [response] = refused;
    for (const one of responses) if (one !== response) await one.arrayBuffer();
    if (response !== undefined) return { passed, isOneWindow: windows === 1, response };
  }
}

/** An address that no other test has: they share the budgets of one isolate. */
const from = (address: string, token?: string) => ({
  headers: { "cf-connecting-ip": address, ...(token !== undefined && bearer(token).headers) },
});

describe("the budget of a key", () => {
  test("is spent at its 68th request in ten seconds; others are untouched", async () => {
    const { token } = await records.key(companyId);
    let n = 0;
    // From many addresses, so that it is the key's budget that is met.
    const send = () => api.fetch("/v3/api-keys/me", from(`192.0.2.${n++ % 200}`, token));
    const { passed, isOneWindow, response } = await passedUntilRefused(send, 67, KEY_LIMIT);
    if (isOneWindow) expect(passed).toBe(67);
    expect(passed).toBeGreaterThanOrEqual(67);

    const body = (await response.json()) as { data: { message: string } };
    expect(isError(body)).toBe(true);
    expect(body.data.message).toBe("The limit is 67 requests in 10 seconds.");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "retry-after": "10",
      "x-ratelimit-limit": "67",
      "x-ratelimit-reset": "10",
      "ratelimit-policy": '"key";q=67;w=10',
      ratelimit: '"key";r=0;t=10',
      "cache-control": "no-store",
    });

    const other = await records.key(companyId);
    expect((await api.fetch("/v3/api-keys/me", from("192.0.2.251", other.token))).status).toBe(200);
  });

  test("is told with every answer, as far as it is known", async () => {
    const { token } = await records.key(companyId);
    const { headers } = await api.fetch("/v3/api-keys/me", from("198.51.100.1", token));
    expect(headers.get("ratelimit-policy")).toBe('"key";q=67;w=10');
    expect(headers.get("x-ratelimit-limit")).toBe("67");
    // Nobody can tell these: the binding answers only yes or no.
    for (const name of ["ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"]) {
      expect([name, headers.has(name)]).toStrictEqual([name, false]);
    }
  });
});

describe("the budget of an address", () => {
  test("cuts a flood of keys that nobody has off before the database", async () => {
    let unauthorized = 0;
    const flood = async () => {
      const answer = await api.fetch("/v3/api-keys/me", from("203.0.113.9", randomToken()));
      if (answer.status === 401) unauthorized++;
      return answer;
    };
    const before = api.queries();
    const { passed, isOneWindow, response } = await passedUntilRefused(flood, ADDRESSES, ADDRESS_LIMIT);
    if (isOneWindow) expect(passed).toBe(ADDRESSES);
    // The others are those that a database too slow for ten at once was not asked for.
    expect(api.queries() - before).toBe(unauthorized);
    expect(response.headers.get("ratelimit-policy")).toBe('"address";q=167;w=10');
    expect((await api.fetch("/health", from("203.0.113.10"))).status).toBe(200);
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
  ])("of %s is that of %s", ([address, budget]) => {
    expect(addressBudget(String(address))).toBe(budget);
  });
});

describe("the budget of those who purge", () => {
  test("is theirs alone, and also of those who guess", async () => {
    const guess = () =>
      api.fetch("/ops/purge", {
        method: "POST",
        headers: { ...from("198.51.100.77").headers, authorization: "Bearer x" },
      });
    const { passed, isOneWindow } = await passedUntilRefused(guess, 10, PURGE_LIMIT);
    if (isOneWindow) expect(passed).toBe(10);
    expect(passed).toBeGreaterThanOrEqual(10);
  });
});

test("wrangler.toml counts what clients are told", () => {
  const { ratelimits } = readConfig({ config: "wrangler.toml" });
  const configured = ratelimits.map(({ name, simple }: Ratelimit) => [name, simple]);
  const told = [KEY_LIMIT, WRITE_LIMIT, ADDRESS_LIMIT, PURGE_LIMIT].map((limit) => [
    limit.binding,
    { limit: limit.requests, period: limit.periodSeconds },
  ]);
  expect(configured).toEqual(told);
});

describe("a limit that cannot be counted", () => {
  test("lets requests pass where the binding fails, and says so once", async () => {
    const said = vi.spyOn(console, "warn").mockImplementation(() => {});
    const env = { KEY_LIMIT: { limit: () => Promise.reject(new Error("SECRET")) } };
    for (const key of ["a", "b"]) await expect(spend(KEY_LIMIT, env, key)).resolves.toBeUndefined();
    expect(said.mock.calls).toStrictEqual([
      ['{"level":"warn","event":"no_rate_limit","binding":"KEY_LIMIT","state":"failing"}'],
    ]);
    said.mockRestore();
  });

  test("lets requests pass where there is no binding, and says so once", async () => {
    const { token } = await records.key(companyId);
    for (const _ of [1, 2, 3]) {
      expect((await unlimited.fetch("/v3/api-keys/me", from("192.0.2.1", token))).status).toBe(200);
    }
    const lines = unlimited.logs().filter((line) => line.includes("no_rate_limit"));
    expect(lines.map((line) => JSON.parse(line).binding).sort()).toStrictEqual(["ADDRESS_LIMIT", "KEY_LIMIT"]);
  });
});
