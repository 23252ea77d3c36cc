// Who sees a write at once, and what the answer says of it.
import { describe, expect, onTestFinished, test } from "vitest";
import { OwnWrites } from "../../src/worker/gateway/own-writes.ts";
import { DIRECT_PURGES } from "../../src/worker/shared/limits.ts";
import { useApi } from "../support/api.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { bearer, useRecords } from "../support/records.ts";

const api = useApi();
const records = useRecords();

/** A cron process with one run, that its writer and a colleague have both read. */
async function known() {
  await records.pool.query("delete from audit_log");
  const { companyId, key: writer, list, path, get, rename } = await createOwnProcess(api, records);
  await rename("Old");
  const colleague = await records.key(companyId);
  const read = async ({ token }: typeof writer, what = path, headers?: Record<string, string>) => {
    const response = await get(headers, { what, token });
    const status = String(response.headers.get("cache-status"));
    return { status, body: JSON.stringify(await response.json()) };
  };
  /** Writes. @returns `Cache-Status` */
  const write = async (method: string, what = path, body?: object) => {
    const headers = { ...bearer(writer.token).headers, ...(body && { "content-type": "application/json" }) };
    const response = await api.fetch(what, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    return String(response.headers.get("cache-status"));
  };
  for (const who of [writer, colleague]) for (const what of [path, list, `${path}/runs`]) await read(who, what);
  return { companyId, list, path, writer, colleague, read, write };
}

const RENAME = { display_name: "New" };
const OLD_COPY = { status: expect.stringContaining("hit"), body: expect.stringContaining("Old") };
const fresh = (status: string) => ({ status: `process-api; ${status}`, body: expect.stringContaining("New") });

describe("a write that has purged says so", () => {
  test("and everybody sees it: a change, in the process and in the list", async () => {
    const { list, path, colleague, read, write } = await known();
    expect(await write("PATCH", path, RENAME)).toBe("process-api; fwd=method; detail=purged");
    for (const what of [path, list]) expect(await read(colleague, what)).toStrictEqual(fresh("fwd=miss; stored"));
  });

  test("and the list into which SQL has moved the process since it was read", async () => {
    const { companyId, path, colleague, read, write } = await known();
    const { id } = await records.application(companyId);
    const list = `/v3/applications/${id}/processes`;
    expect((await read(colleague, list)).body).toContain('"total":0');
    const processId = String(path.split("/").at(-1));
    await records.pool.query("update processes set application_id = $1 where id = $2", [id, processId]);
    expect(await write("PATCH", `${list}/${processId}`, RENAME)).toContain("detail=purged");
    expect(await read(colleague, list)).toStrictEqual(fresh("fwd=miss; stored"));
  });

  test("a run", async () => {
    const { path, colleague, read, write } = await known();
    expect(await write("POST", `${path}/trigger`)).toBe("process-api; fwd=method; detail=purged");
    expect((await read(colleague, `${path}/runs`)).body).toContain('"total":2');
    // What it does not change stays where it is.
    expect(await read(colleague)).toMatchObject(OLD_COPY);
  });

  test("a process that is gone, and one that is new", async () => {
    const { list, path, colleague, read, write } = await known();
    // Counts it, but does not hold it.
    const nextPage = `${list}?offset=1`;
    expect((await read(colleague, nextPage)).body).toContain('"total":1');
    await write("DELETE");
    expect((await read(colleague, nextPage)).body).toContain('"total":0');
    for (const what of [path, `${path}/runs`]) expect((await read(colleague, what)).body).toContain("not found");
    expect((await read(colleague, list)).body).toContain('"total":0');
    const { id } = await records.resourceType();
    const scaling_strategy = { type: "manual", config: { instanceCount: 1 } };
    await write("POST", list, { display_name: "New", type: "worker", resource_type_id: id, scaling_strategy });
    expect((await read(colleague, list)).body).toContain('"total":1');
  });
});

describe("a write whose purge the platform refuses", () => {
  test("is done, says so, and is seen by its writer at once", async () => {
    const { path, writer, colleague, read, write } = await known();
    await api.refusePurge({ code: 429, message: "rate limit" });
    onTestFinished(() => api.refusePurge(null));
    expect(await write("PATCH", path, RENAME)).toBe("process-api; fwd=method; detail=purge-pending");
    expect(await read(writer)).toStrictEqual(fresh("fwd=bypass; detail=own-write"));
    expect(await read(colleague)).toMatchObject(OLD_COPY);
    expect(await read(colleague, path, { "cache-control": "no-cache" })).toStrictEqual(fresh("fwd=request"));
  });

  test("comes after many others, which leave the platform's budget to the feed", async () => {
    const { path, colleague, read, write } = await known();
    for (let n = 0; n < DIRECT_PURGES.count; n++) {
      expect(await write("PATCH", path, { port: n + 1 })).toContain("detail=purged");
    }
    await read(colleague);
    expect(await write("PATCH", path, RENAME)).toContain("detail=purge-pending");
    expect(await read(colleague)).toMatchObject(OLD_COPY);
    const over = `interval '${DIRECT_PURGES.minutes + 1} minutes'`;
    await records.pool.query(`update audit_log set created_at = created_at - ${over}`);
    expect(await write("PATCH", path, { port: 99 })).toContain("detail=purged");
  });
});

test("a write that changes nothing purges nothing", async () => {
  const { path, colleague, read, write } = await known();
  expect(await write("PATCH", path, { display_name: "Old" })).toBe("process-api; fwd=method");
  expect(await write("PATCH", `${path}?dry_run=true`, RENAME)).toBe("process-api; fwd=method");
  expect(await read(colleague)).toMatchObject(OLD_COPY);
});

describe("the keys that have written lately", () => {
  test("are forgotten when no copy can be older", () => {
    let now = 0;
    const writes = new OwnWrites(() => now);
    writes.add("a", 10);
    writes.add("a", 5);
    now = 9;
    expect([writes.has("a"), writes.has("b")]).toStrictEqual([true, false]);
    now = 10;
    expect(writes.has("a")).toBe(false);
  });

  test("are a thousand at most, the latest", () => {
    const writes = new OwnWrites(() => 0);
    for (let n = 0; n < 1_001; n++) {
      writes.add(`key ${n}`, 10);
      writes.add("key 1", 10);
    }
    expect([writes.has("key 0"), writes.has("key 1"), writes.has("key 1000")]).toStrictEqual([false, true, true]);
  });
});
