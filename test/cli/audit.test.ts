import { randomUUID } from "node:crypto";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import command, { selectEntries } from "../../src/cli/audit.ts";
import { auditLog } from "../../src/worker/statements/table.ts";
import { readsOf } from "../support/plan.ts";
import { useRecords } from "../support/records.ts";
import { expectError, onDatabase } from "./command.ts";

const records = useRecords();
const audit = onDatabase(command);

const [companyId, applicationId, processId, request] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
const before = { id: processId, name: "Old\u001b[31m", port: null, probe: { port: 1 } };
const after = { id: processId, name: "New", probe: { port: 1 }, port: 8080 };
const moved = { before: { port: 8080 }, after: { port: null } };
let key: string;

/** One request changed the process when whole payloads were kept, the next one when only what differs was, and one deleted it. */
beforeAll(async () => {
  key = (await records.key(await records.company(), { name: "CI\u001b[31m" })).id;
  const row = { apiKeyId: key, companyId, applicationId, processId };
  await records.db.insert(auditLog).values([
    { ...row, operation: "update", requestId: request, createdAt: new Date(1_000), before, after },
    { ...row, operation: "update", createdAt: new Date(2_000), ...moved },
    { ...row, operation: "delete", createdAt: new Date(3_000), before: after },
  ]);
});

test("audit finds the latest entries by process, application, key and request, and prints JSON", async () => {
  const common = { company_id: companyId, application_id: applicationId, process_id: processId };
  const by = { ...common, api_key: { id: key, name: "CI\u001b[31m" } };
  const update = { ...by, at: "1970-01-01T00:00:01.000Z", operation: "update", request_id: request, before, after };
  const unknown = { ...by, request_id: null };
  const all = [
    update,
    { ...unknown, at: "1970-01-01T00:00:02.000Z", operation: "update", ...moved },
    { ...unknown, at: "1970-01-01T00:00:03.000Z", operation: "delete", before: after, after: null },
  ];
  for (const [options, expected] of [
    [`--process ${processId}`, all],
    [`--application ${applicationId}`, all],
    [`--key ${key}`, all],
    [`--key ${key} --limit 2`, all.slice(1)],
    [`--request ${request}`, all.slice(0, 1)],
    [`--process ${processId} --request ${randomUUID()}`, []],
  ] as const) {
    expect(JSON.parse((await audit(`${options} --json`)).stdout), options).toStrictEqual(expected);
  }
});

test("audit says that there may be older entries than it shows", async () => {
  const said = [await audit(`--key ${key} --limit 2`), await audit(`--key ${key} --limit 4`)].map(
    ({ stderr }) => stderr,
  );
  expect(said).toStrictEqual(["These are the latest 2. There may be older ones: add --limit.\n", ""]);
});

test("audit shows who changed which field, when, and by which request", async () => {
  const { exitCode, stdout, stderr } = await audit(`--process ${processId}`);
  expect([exitCode, stderr, stdout.split("\n")]).toStrictEqual([
    0,
    "",
    [
      `1970-01-01T00:00:01.000Z  update ${processId}`,
      `  key      ${key} (CI\\u{001b}[31m)`,
      `  request  ${request}`,
      String.raw`  name: "Old\u001b[31m" → "New"`,
      "  port: null → 8080",
      "",
      `1970-01-01T00:00:02.000Z  update ${processId}`,
      `  key      ${key} (CI\\u{001b}[31m)`,
      "  request  unknown",
      "  port: 8080 → null",
      "",
      `1970-01-01T00:00:03.000Z  delete ${processId}`,
      `  key      ${key} (CI\\u{001b}[31m)`,
      "  request  unknown",
      `  id: "${processId}" → null`,
      '  name: "New" → null',
      "  port: 8080 → null",
      '  probe: {"port":1} → null',
      "",
    ],
  ]);
  await records.pool.query("delete from api_keys where id = $1", [key]);
  expect((await audit(`--process ${processId}`)).stdout).toContain(`  key      ${key} (deleted)\n`);
});

test("audit says when it finds nothing, and asks for an id when it gets none", async () => {
  const outcome = await audit(`--process ${randomUUID()}`);
  expect(outcome).toStrictEqual({ exitCode: 0, stdout: "", stderr: "Nothing was written.\n" });
  expectError(await audit([]), 2, "Say of what: --process, --application, --key or --request.");
});

test("audit reads no entry that it does not show, however many there are of others", async () => {
  const ours = { process: randomUUID(), application: randomUUID(), key: randomUUID(), request: randomUUID() };
  const busy = { process: randomUUID(), application: randomUUID(), key: randomUUID(), request: null };
  const later = { process: randomUUID(), application: randomUUID(), key: randomUUID(), request: null };
  const add = (count: number, { process, application, key, request }: typeof ours | typeof busy) =>
    records.pool.query(
      `insert into audit_log (api_key_id, company_id, application_id, process_id, operation, request_id)
      select $1, $2, $3, $4, 'update', coalesce($5, gen_random_uuid()) from generate_series(1, $6::int)`,
      [key, companyId, application, process, request, count],
    );
  onTestFinished(async () => {
    await records.pool.query("delete from audit_log where api_key_id = any($1)", [[ours.key, busy.key, later.key]]);
  });
  // Whoever walks back through all entries passes by many others first.
  await add(3, ours);
  await add(10_000, busy);
  await add(10_000, later);
  await records.pool.query("vacuum analyze audit_log");
  for (const by of ["process", "application", "key", "request"] as const) {
    for (const [id, shown] of [
      [ours[by], 3],
      [busy[by], 50],
      [randomUUID(), 0],
    ] as const) {
      if (id === null) continue;
      const query = selectEntries(records.db, { [by]: id, limit: 50 }).toSQL();
      // In the index, and then by their ids.
      expect([by, (await readsOf(records.pool, "audit_log", query)).rows]).toStrictEqual([by, [shown, shown]]);
    }
  }
});
