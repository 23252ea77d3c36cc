import { beforeAll, describe, expect, test } from "vitest";
import { getOwnApiKey } from "../../../src/worker/api/api-key/query.ts";
import { useApi } from "../../support/api.ts";
import { isEmbedded } from "../../support/database.ts";
import { bearer, sha256, useRecords } from "../../support/records.ts";
import { captureStatement } from "../../support/statement.ts";

const api = useApi();
const records = useRecords();
let companyId: string;
let applicationId: string;
beforeAll(async () => {
  companyId = await records.company();
  applicationId = (await records.application(companyId)).id;
});

async function me(token: string): Promise<Record<string, unknown>> {
  const response = await api.fetch("/v3/api-keys/me", bearer(token));
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

const lastUsedAt = async (keyId: string) =>
  (await records.pool.query<{ at: Date | null }>("select last_used_at as at from api_keys where id = $1", [keyId]))
    .rows[0]?.at;

/** Of a token, where the one above is of its key. */
const tokenLastUsedAt = async (token: string) =>
  (
    await records.pool.query<{ at: Date | null }>(
      "select last_used_at as at from api_key_tokens where hash = decode($1, 'hex')",
      [sha256(token)],
    )
  ).rows[0]?.at;

/** What the statement of a miss says. */
const isUseDue = async (token: string): Promise<boolean> => {
  const { text, params } = await captureStatement((db) => getOwnApiKey(db, { keyHash: sha256(token), trace: {} }));
  return (await records.pool.query(text, params)).rows[0].isUseDue;
};

/** Uses are gathered for a second before they are written. @returns what there is then */
async function eventually<T>(read: () => Promise<T | null | undefined>): Promise<T> {
  await expect.poll(read).toBeTruthy();
  return (await read()) as T;
}

/** Puts the last uses back by a little more than a minute, as if that had passed. */
const passMinute = async (keyId: string) => {
  for (const [table, id] of Object.entries({ api_keys: "id", api_key_tokens: "api_key_id" })) {
    await records.pool.query(
      `update ${table} set last_used_at = last_used_at - interval '61 seconds' where ${id} = $1`,
      [keyId],
    );
  }
};

describe("GET /v3/api-keys/me", () => {
  test("tells a key all about itself, whatever it may do", async () => {
    const moment = new Date("2025-01-30T00:00:00.000Z");
    const key = await records.key(companyId, {
      name: "CI",
      source: "SUPPORT_MCP",
      permissions: [],
      createdAt: moment,
      updatedAt: moment,
      lastUsedAt: moment,
    });
    expect(await me(key.token)).toStrictEqual({
      id: key.id,
      company_id: companyId,
      company: { id: companyId, name: "A company" },
      name: "CI",
      source: "SUPPORT_MCP",
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
    const { id, token } = await records.key(companyId, {
      permissions: ["APP:READ", "APP:UPDATE"],
      resourceId: applicationId,
    });
    const grants = [
      { permission: "APP:READ", resource_id: applicationId },
      { permission: "APP:UPDATE", resource_id: applicationId },
    ];
    expect((await me(token)).capabilities).toStrictEqual(grants);
    await records.pool.query(
      "insert into api_key_capabilities (api_key_id, company_id, permission) values ($1, $2, 'APP:UPDATE')",
      [id, companyId],
    );
    await api.purge({ keys: [id] });
    expect((await me(token)).capabilities).toStrictEqual([grants[0], { permission: "APP:UPDATE", resource_id: null }]);
  });

  test("says the earlier of the key's and the token's expiry, and masks the token that was sent", async () => {
    const [soon, late] = [new Date(Date.now() + 3_600_000), new Date(Date.now() + 7_200_000)];
    const key = await records.key(companyId, { expiresAt: late });
    const rotated = await records.token(key.id, soon);
    expect((await me(key.token)).expires_at).toBe(late.toISOString());
    expect(await me(rotated)).toMatchObject({
      expires_at: soon.toISOString(),
      masked_token: `${rotated.slice(0, 6)}…${rotated.slice(-4)}`,
    });
  });

  test("is stored no longer than any other answer, and not beyond the key", async () => {
    const { id, token } = await records.key(companyId);
    await me(token);
    const response = await api.fetch("/v3/api-keys/me", bearer(token));
    expect(response.headers.get("cache-status")).toBe("process-api; hit; ttl=30");
    await records.pool.query("update api_keys set is_enabled = false where id = $1", [id]);
    await api.purge({ keys: [id] });
    expect((await api.fetch("/v3/api-keys/me", bearer(token))).status).toBe(401);
  });
});

describe("GET /v3/api-keys/validate", () => {
  test("says of any key that can be used that it is active, in one query", async () => {
    const expiresAt = new Date(Date.now() + 3_600_000);
    const { token } = await records.key(companyId, { name: "CI", permissions: [], expiresAt });
    const before = api.queries();
    const response = await api.fetch("/v3/api-keys/validate", bearer(token));
    expect(api.queries() - before).toBe(1);
    expect(await response.json()).toStrictEqual({
      name: "CI",
      expires_at: expiresAt.toISOString(),
      company_id: companyId,
      status: "active",
    });
  });

  test("refuses a key that is disabled, and one that has expired", async () => {
    const disabled = await records.key(companyId, { isEnabled: false });
    const expired = await records.key(companyId, { expiresAt: new Date(0) });
    for (const { token } of [disabled, expired]) {
      expect((await api.fetch("/v3/api-keys/validate", bearer(token))).status).toBe(401);
    }
  });
});

describe("the last use of a key", () => {
  test("is written on a miss, and at most once a minute", async () => {
    const { id, token } = await records.key(companyId);
    expect(await lastUsedAt(id)).toBeNull();
    await me(token);
    const first = await eventually(() => lastUsedAt(id));
    for (const path of ["/v3/resources/process-resource-types", `/v3/applications/${applicationId}/processes`]) {
      expect((await api.fetch(path, bearer(token))).status).toBe(200);
    }
    expect(api.recordings(token)).toBe(1);
    expect(await lastUsedAt(id)).toStrictEqual(first);
    await passMinute(id);
    await api.purge({ keys: [id] });
    await me(token);
    await expect.poll(async () => Number(await lastUsedAt(id))).toBeGreaterThanOrEqual(Number(first));
    expect(api.recordings(token)).toBe(2);
  });

  test("is also that of the token that was sent, each at most once a minute", async () => {
    const { id, token: old } = await records.key(companyId);
    const next = await records.token(id);
    await me(old);
    const first = await eventually(() => tokenLastUsedAt(old));
    expect([await tokenLastUsedAt(next), await lastUsedAt(id)]).toStrictEqual([null, first]);
    expect([await isUseDue(old), await isUseDue(next)]).toStrictEqual([false, true]);
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
    expect([api.recordings(old), api.recordings(next)]).toStrictEqual([2, 1]);
  });

  test("is written for all that were used at once", async () => {
    const { id, token } = await records.key(companyId);
    const tokens = [token, await records.token(id), (await records.key(companyId)).token];
    await Promise.all(tokens.map(me));
    for (const one of tokens) await eventually(() => tokenLastUsedAt(one));
  });

  // The embedded Postgres has one session, where an open transaction keeps all others out.
  const testOfSessions = isEmbedded ? () => {} : test;
  testOfSessions("waits for no key that somebody is changing, and is then written later", async () => {
    const [changing, other] = [await records.key(companyId), await records.key(companyId)];
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

  test("counts also when the request is forbidden or finds nothing", async () => {
    const forbidden = await records.key(companyId, { permissions: [] });
    expect((await api.fetch(`/v3/applications/${applicationId}/processes`, bearer(forbidden.token))).status).toBe(403);
    await eventually(() => lastUsedAt(forbidden.id));
    const lost = await records.key(companyId);
    expect((await api.fetch(`/v3/applications/${lost.id}/processes`, bearer(lost.token))).status).toBe(404);
    await eventually(() => lastUsedAt(lost.id));
  });

  test("harms nobody when it cannot be written, and the log says so", async () => {
    const { id, token } = await records.key(companyId);
    // Of this key alone: other tests use the table at the same time.
    await records.pool.query(
      `alter table api_keys add constraint refuse_use check (last_used_at is null or id <> '${id}') not valid`,
    );
    try {
      expect((await api.fetch("/v3/api-keys/me", bearer(token))).status).toBe(200);
      await expect.poll(() => api.logs().some((line) => line.includes('"sqlState":"23514"'))).toBe(true);
    } finally {
      await records.pool.query("alter table api_keys drop constraint refuse_use");
    }
    expect([await lastUsedAt(id), await tokenLastUsedAt(token)]).toStrictEqual([null, null]);
  });
});
