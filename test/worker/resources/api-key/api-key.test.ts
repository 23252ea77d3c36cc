import { test as base, beforeAll, describe, expect } from "vitest";
import { useApi } from "../../../support/api.ts";
import { isEmbedded } from "../../../support/database.ts";
import { bearer, sha256, useRecords } from "../../../support/records.ts";
import { captureStatement } from "../../../support/statement.ts";
import { sendRead } from "../../../support/statements.ts";

const api = useApi();
const records = useRecords();
let companyId: string;
let applicationId: string;
beforeAll(async () => {
  companyId = await records.company();
  applicationId = (await records.application(companyId)).id;
});

/** Each test may have a key of its own. */
const test = base.extend("key", () => records.key(companyId));
const get = (path: string, token: string) => api.fetch(`/v3/${path}`, bearer(token));
const statusOf = async (path: string, token: string) => (await get(path, token)).status;

async function me(token: string): Promise<Record<string, unknown>> {
  const response = await get("api-keys/me", token);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

async function lastUseIn(table: string, column: string, value: string | Buffer) {
  const statement = `select last_used_at from ${table} where ${column} = $1`;
  return (await records.pool.query<{ last_used_at: Date | null }>(statement, [value])).rows[0]?.last_used_at;
}
const lastUsedAt = (keyId: string) => lastUseIn("api_keys", "id", keyId);
const tokenLastUsedAt = (token: string) => lastUseIn("api_key_tokens", "hash", Buffer.from(sha256(token), "hex"));

/** What the statement of a miss says. */
async function isUseDue(token: string): Promise<boolean> {
  const { text, params } = await captureStatement((db) =>
    sendRead(db, "getCurrentApiKeyV3", { keyHash: sha256(token) }),
  );
  return (await records.pool.query(text, params)).rows[0].isUseDue;
}

/** Uses are gathered for a second before they are written. @returns what there is then */
async function eventually<T>(read: () => Promise<T | null | undefined>): Promise<T> {
  await expect.poll(read).toBeTruthy();
  return (await read()) as T;
}

/** Puts the last uses back by a little more than a minute, as if that had passed. */
const passMinute = async (keyId: string) => {
  for (const [table, id] of Object.entries({ api_keys: "id", api_key_tokens: "api_key_id" })) {
    const statement = `update ${table} set last_used_at = last_used_at - interval '61 seconds' where ${id} = $1`;
    await records.pool.query(statement, [keyId]);
  }
};

describe("GET /v3/api-keys/me", () => {
  test("tells a key all about itself, whatever it may do", async () => {
    const day = new Date("2025-01-30T00:00:00.000Z");
    const about = { name: "CI", source: "SUPPORT_MCP" } as const;
    const dates = { lastUsedAt: day, createdAt: day, updatedAt: day };
    const key = await records.key(companyId, { ...about, ...dates, permissions: [] });
    expect(await me(key.token)).toStrictEqual({
      id: key.id,
      company_id: companyId,
      company: { id: companyId, name: "A company" },
      ...about,
      is_enabled: true,
      masked_token: `${key.token.slice(0, 6)}…${key.token.slice(-4)}`,
      capabilities: [],
      expires_at: null,
      last_used_at: "2025-01-30T00:00:00.000Z",
      created_at: "2025-01-30T00:00:00.000Z",
      updated_at: "2025-01-30T00:00:00.000Z",
    });
  });

  test("leaves out a grant for one application beside a grant for all", async () => {
    const permissions = ["APP:READ", "APP:UPDATE"] as const;
    const { id, token } = await records.key(companyId, { permissions, resourceId: applicationId });
    const grants = permissions.map((permission) => ({ permission, resource_id: applicationId }));
    expect((await me(token)).capabilities).toStrictEqual(grants);
    const grant = "insert into api_key_capabilities (api_key_id, company_id, permission) values ($1, $2, 'APP:UPDATE')";
    await records.pool.query(grant, [id, companyId]);
    await api.purge({ keys: [id] });
    expect((await me(token)).capabilities).toStrictEqual([grants[0], { permission: "APP:UPDATE", resource_id: null }]);
  });

  test("says the earlier of the key's and the token's expiry, and masks the token that was sent", async () => {
    const [soon, late] = [new Date(Date.now() + 3_600_000), new Date(Date.now() + 7_200_000)];
    const key = await records.key(companyId, { expiresAt: late });
    const rotated = await records.token(key.id, soon);
    expect((await me(key.token)).expires_at).toBe(late.toISOString());
    const masked_token = `${rotated.slice(0, 6)}…${rotated.slice(-4)}`;
    expect(await me(rotated)).toMatchObject({ expires_at: soon.toISOString(), masked_token });
  });

  test("is stored no longer than any other answer, and not beyond the key", async ({ key: { id, token } }) => {
    await me(token);
    expect((await get("api-keys/me", token)).headers.get("cache-status")).toBe("process-api; hit; ttl=30");
    await records.pool.query("update api_keys set is_enabled = false where id = $1", [id]);
    await api.purge({ keys: [id] });
    expect(await statusOf("api-keys/me", token)).toBe(401);
  });
});

describe("GET /v3/api-keys/validate", () => {
  test("says of any key that can be used that it is active, in one query", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const { token } = await records.key(companyId, { name: "CI", permissions: [], expiresAt });
    const before = api.queries();
    const response = await get("api-keys/validate", token);
    expect(api.queries() - before).toBe(1);
    const told = { name: "CI", expires_at: expiresAt.toISOString(), company_id: companyId, status: "active" };
    expect(await response.json()).toStrictEqual(told);
  });

  test("refuses a key that is disabled, and one that has expired", async () => {
    for (const values of [{ isEnabled: false }, { expiresAt: new Date(0) }]) {
      const { token } = await records.key(companyId, values);
      expect(await statusOf("api-keys/validate", token)).toBe(401);
    }
  });
});

describe("the last use of a key", () => {
  test("is of the key and of the token, written on a miss, once a minute", async ({ key: { id, token: old } }) => {
    const next = await records.token(id);
    expect(await lastUsedAt(id)).toBeNull();
    await me(old);
    const first = await eventually(() => tokenLastUsedAt(old));
    expect([await tokenLastUsedAt(next), await lastUsedAt(id)]).toStrictEqual([null, first]);
    expect([await isUseDue(old), await isUseDue(next)]).toStrictEqual([false, true]);
    const others = ["resources/process-resource-types", `applications/${applicationId}/processes`];
    for (const path of others) expect(await statusOf(path, old)).toBe(200);
    expect([api.recordings(old), await lastUsedAt(id)]).toStrictEqual([1, first]);
    // Within the same minute: who has rotated a key wants to see that the new token has arrived.
    await me(next);
    const second = await eventually(() => tokenLastUsedAt(next));
    expect([await tokenLastUsedAt(old), await lastUsedAt(id)]).toStrictEqual([first, second]);
    expect([await isUseDue(old), await isUseDue(next)]).toStrictEqual([false, false]);
    await passMinute(id);
    expect([await isUseDue(old), await isUseDue(next)]).toStrictEqual([true, true]);
    await api.purge({ keys: [id] });
    await me(old);
    await expect.poll(async () => Number(await tokenLastUsedAt(old))).toBeGreaterThan(Number(first));
    expect(Number(await lastUsedAt(id))).toBeGreaterThanOrEqual(Number(first));
    expect([api.recordings(old), api.recordings(next)]).toStrictEqual([2, 1]);
  });

  test("is written for all that were used at once", async ({ key: { id, token } }) => {
    const tokens = [token, await records.token(id), (await records.key(companyId)).token];
    await Promise.all(tokens.map(me));
    for (const one of tokens) await eventually(() => tokenLastUsedAt(one));
  });

  // The embedded Postgres has one session, where an open transaction keeps all others out.
  const testOfSessions = isEmbedded ? () => {} : test;
  testOfSessions("waits for no key that somebody is changing, and is then written later", async ({ key: changing }) => {
    const other = await records.key(companyId);
    const holder = await records.pool.connect();
    try {
      await holder.query("begin");
      await holder.query("select from api_keys where id = $1 for update", [changing.id]);
      await Promise.all([me(changing.token), me(other.token)]);
      await eventually(() => tokenLastUsedAt(other.token));
      expect(await tokenLastUsedAt(changing.token)).toBeNull();
    } finally {
      await holder.query("rollback");
      holder.release();
    }
    await api.purge({ keys: [changing.id] });
    await me(changing.token);
    await eventually(() => tokenLastUsedAt(changing.token));
  });

  test("counts also when the request is forbidden or finds nothing", async ({ key: lost }) => {
    const forbidden = await records.key(companyId, { permissions: [] });
    expect(await statusOf(`applications/${applicationId}/processes`, forbidden.token)).toBe(403);
    await eventually(() => lastUsedAt(forbidden.id));
    expect(await statusOf(`applications/${lost.id}/processes`, lost.token)).toBe(404);
    await eventually(() => lastUsedAt(lost.id));
  });

  test("harms nobody when it cannot be written, and the log says so", async ({ key: { id, token } }) => {
    // Of this key alone: other tests use the table at the same time.
    const refuseUse = `constraint refuse_use check (last_used_at is null or id <> '${id}') not valid`;
    await records.pool.query(`alter table api_keys add ${refuseUse}`);
    try {
      expect(await statusOf("api-keys/me", token)).toBe(200);
      await expect.poll(async () => (await api.logs()).some((line) => line.includes('"sqlState":"23514"'))).toBe(true);
    } finally {
      await records.pool.query("alter table api_keys drop constraint refuse_use");
    }
    expect([await lastUsedAt(id), await tokenLastUsedAt(token)]).toStrictEqual([null, null]);
  });
});
