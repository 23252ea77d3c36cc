import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { startApi, type TestApi } from "../support/api.ts";
import { openRecords, type Records } from "../support/records.ts";
import { audit } from "./command.ts";

let api: TestApi;
let records: Records;
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
  records = await openRecords(inject("connectionString"));
});
afterAll(async () => {
  await records.close();
  await api.close();
});

/** A process that was changed by one request and deleted by another. */
async function history() {
  const companyId = await records.company();
  const { id: applicationId } = await records.application(companyId);
  const { id: processId } = await records.process(applicationId, { displayName: "Old\u001b[31m" });
  const key = await records.key(companyId, { name: "CI", permissions: ["APP:UPDATE"] });
  const call = async (method: string, body?: object) => {
    const response = await api.fetch(`/v3/applications/${applicationId}/processes/${processId}`, {
      method,
      headers: { authorization: `Bearer ${key.token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
    return String(response.headers.get("x-request-id"));
  };
  const changed = await call("PATCH", { display_name: "New", port: 8080 });
  const deleted = await call("DELETE");
  return { companyId, applicationId, processId, keyId: key.id, changed, deleted };
}

test("audit shows who has changed which field, when, and by which request", async () => {
  const { processId, keyId, changed, deleted } = await history();
  const { exitCode, stdout, stderr } = await audit(["--process", processId]);
  expect({ exitCode, stderr }).toStrictEqual({ exitCode: 0, stderr: "" });
  const [first = "", second = ""] = stdout.split("\n\n");
  const time = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
  expect(first.split("\n")).toStrictEqual([
    expect.stringMatching(new RegExp(`^${time}  update ${processId}$`)),
    `  key      ${keyId} (CI)`,
    `  request  ${changed}`,
    String.raw`  display_name: "Old\u001b[31m" → "New"`,
    "  port: null → 8080",
    expect.stringMatching(new RegExp(`^  updated_at: "${time}" → "${time}"$`)),
  ]);
  expect(second).toContain(`delete ${processId}`);
  expect(second).toContain(`  request  ${deleted}`);
  expect(second).toContain('  display_name: "New" → null');
});

test("audit finds by application, key and request, and prints JSON", async () => {
  const { companyId, applicationId, processId, keyId, changed, deleted } = await history();
  for (const [option, id, requests] of [
    ["--application", applicationId, [changed, deleted]],
    ["--key", keyId, [changed, deleted]],
    ["--request", changed, [changed]],
  ] as const) {
    const entries = JSON.parse((await audit([option, id, "--json"])).stdout);
    expect(entries).toMatchObject(
      requests.map((request_id) => ({
        request_id,
        api_key: { id: keyId, name: "CI" },
        company_id: companyId,
        application_id: applicationId,
        process_id: processId,
      })),
    );
  }
  const [last] = JSON.parse((await audit(["--key", keyId, "--limit", "1", "--json"])).stdout);
  expect(last).toMatchObject({ operation: "delete", before: { display_name: "New" }, after: null });
  await records.pool.query("delete from api_keys where id = $1", [keyId]);
  expect((await audit(["--process", processId])).stdout).toContain(`${keyId} (deleted)`);
});

test("audit of nothing says so, and asks of what", async () => {
  expect(await audit(["--process", randomUUID()])).toMatchObject({
    exitCode: 0,
    stdout: "",
    stderr: "Nothing was written.\n",
  });
  expect(await audit([])).toMatchObject({ exitCode: 2, stdout: "" });
});
