// Every way to come without a valid key, and every private operation of the OpenAPI document.
import { beforeAll, describe, expect, test } from "vitest";
import { SEED_TOKENS } from "../../drizzle/seed.ts";
import { useApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { type Operation, privateOperations } from "../support/operations.ts";
import { randomToken, useRecords } from "../support/records.ts";

const api = useApi();
const records = useRecords();
let ids: Record<string, string>;
let live: string;
const late: Record<string, string> = {};
beforeAll(async () => {
  const companyId = await records.company();
  ids = await records.pathIds(companyId);
  const key = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  live = key.token;
  const ago = new Date(Date.now() - 1_000);
  late["of a disabled key"] = (await records.key(companyId, { isEnabled: false })).token;
  late["of an expired key"] = (await records.key(companyId, { expiresAt: ago })).token;
  late["that has expired, of a live key"] = await records.token(key.id, ago);
  const expired = await records.key(companyId, { expiresAt: ago });
  late["that lives on, of an expired key"] = await records.token(expired.id, new Date(Date.now() + 3_600_000));
});

const some = randomToken();
const MISSING = { "no header": undefined, "an empty header": "", "another scheme": "Basic dXNlcjpwYXNz" };
const MALFORMED = {
  "the scheme alone": "Bearer",
  "a scheme that only begins so": `Bearer1 ${some}`,
  "no space": `Bearer${some}`,
  "no scheme": some,
  "two tokens": `Bearer ${some} ${some}`,
  "two credentials": `Bearer ${some}, Bearer ${some}`,
  "a parameter": `Bearer token="${some}"`,
  "a tab": `Bearer\t${some}`,
  "no prefix": `Bearer ${some.slice(4)}`,
  "another prefix": `Bearer svk_${some.slice(4)}`,
  "a digit too few": `Bearer ${some.slice(0, -1)}`,
  "a digit too many": `Bearer ${some}0`,
  "upper case": `Bearer ${some.toUpperCase()}`,
  "upper-case digits": `Bearer svl_${"A".repeat(64)}`,
  "a digit that is none": `Bearer svl_${"g".repeat(64)}`,
  padding: `Bearer ${some}=`,
  "an SQL quote": `Bearer svl_${"0".repeat(63)}'`,
};
/** Those are taken for no Bearer credentials at all. */
const NOT_BEARER = ["a scheme that only begins so", "no space", "no scheme"];

/** How a header is read does not depend on the operation. */
const anyOperation = privateOperations[0] as Operation;

function ask(operation: Operation, authorization: string | undefined) {
  const path = operation.path(ids);
  const { headers, ...request } = operation.request();
  return api.fetch(operation.isWrite ? `${path}?dry_run=true` : path, {
    ...request,
    headers: { ...headers, ...(authorization !== undefined && { authorization }) },
  });
}

async function expectRefusedWithoutQuery(operation: Operation, authorization: string | undefined, challenge: string) {
  const before = api.queries();
  await expectRefusal(await ask(operation, authorization), challenge);
  expect(api.queries() - before).toBe(0);
}

test.for(["bearer", "BEARER", "bEaReR"])("the scheme is known as %s, with any number of spaces", async (scheme) => {
  expect((await ask(anyOperation, `${scheme}   ${live}`)).status).toBe(200);
});

test.for(Object.entries({ ...MISSING, ...MALFORMED }))("%s is refused", async ([name, authorization]) => {
  const isMissing = name in MISSING || NOT_BEARER.includes(name);
  await expectRefusedWithoutQuery(anyOperation, authorization, isMissing ? CHALLENGE : INVALID_TOKEN);
});

describe.for(privateOperations)("$id", (operation) => {
  test("lets a live key pass", async () => {
    expect((await ask(operation, `Bearer ${live}`)).status).toBe(200);
  });

  test("refuses no key, and one that is malformed, without a query", async () => {
    await expectRefusedWithoutQuery(operation, undefined, CHALLENGE);
    await expectRefusedWithoutQuery(operation, `Bearer ${some}0`, INVALID_TOKEN);
  });

  test("refuses a token that nobody has, in one query", async () => {
    const before = api.queries();
    await expectRefusal(await ask(operation, `Bearer ${randomToken()}`), INVALID_TOKEN);
    expect(api.queries() - before).toBe(1);
  });

  test("refuses a token that is not, or not any more, good", async () => {
    const tokens = Object.entries(late);
    expect(tokens).toHaveLength(4);
    for (const [_, token] of tokens) await expectRefusal(await ask(operation, `Bearer ${token}`), INVALID_TOKEN);
  });

  test("refuses the seed's disabled and expired keys", async () => {
    for (const token of [SEED_TOKENS.disabled, SEED_TOKENS.expired]) {
      await expectRefusal(await ask(operation, `Bearer ${token}`), INVALID_TOKEN);
    }
  });
});

const CHALLENGE = 'Bearer realm="process-api"';
const INVALID_TOKEN = `${CHALLENGE}, error="invalid_token"`;

/** One and the same, whatever was wrong. */
async function expectRefusal(response: Response, challenge: string): Promise<void> {
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe(challenge);
  expect(response.headers.get("cache-control")).toBe("no-store");
  const body = (await response.json()) as { data: { code: string } };
  expect(isError(body)).toBe(true);
  expect(body).toStrictEqual({
    message: "A valid API key is required.",
    status: 401,
    data: {
      code: response.headers.get("x-request-id"),
      message: "Send a key that is enabled and not expired in the header `Authorization: Bearer svl_…`.",
    },
  });
}
