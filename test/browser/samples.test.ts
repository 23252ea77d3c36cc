// The samples that the page shows, run against the Worker as a reader runs them.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LANGUAGES } from "../../src/docs/page/samples.ts";
import { useApi } from "../support/api.ts";
import { callsIn } from "../support/llms.ts";
import { operations } from "../support/operations.ts";
import { bearer, useRecords } from "../support/records.ts";

const run = promisify(execFile);
const api = useApi();
const records = useRecords();
const cwd = mkdtempSync(join(tmpdir(), "process-api-samples-"));
afterAll(() => rmSync(cwd, { recursive: true }));
beforeAll(async () => {
  await run("sh", ["-c", "curl --version && python3 -c 'import requests'"]).catch(() => {
    throw new Error("The samples need curl and Python's requests: apt-get install curl python3-requests");
  });
});

/** Of every kind that JSON has, and with all that a language may take for something of its own. */
const CHANGE = {
  display_name: `It's "quoted", \\ and \`true\` for $KEY or null\n\ttwo lines ☕`,
  is_ingress_enabled: true,
  port: 8_080,
  liveness_probe: null,
  readiness_probe: { exec: { command: ["true", "false"] } },
};

test.for([
  ["curl", "sh"],
  ["typescript", process.execPath],
  ["python", "python3"],
] as const)("a sample in %s sends its request as it is, and shows the response", async ([language, program]) => {
  const companyId = await records.company();
  const { id } = await records.application(companyId);
  const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const { id: processId } = await records.process(id, { type: "web" });
  const path = `/v3/applications/${id}/processes/${processId}`;
  const send = async (method: string, to: string, headers: Record<string, string> = {}, body?: object) => {
    const request = { method, url: api.url.origin + to, headers, body: body && JSON.stringify(body, null, 2) };
    writeFileSync(join(cwd, "call.ts"), String(LANGUAGES[language]?.sampleOf(request)));
    return (await run(program, ["call.ts"], { cwd, env: { ...process.env, KEY: token } })).stdout;
  };
  const json = { "Content-Type": "application/json" };

  expect(await send("GET", path)).toContain(processId);
  const unknown = { ...CHANGE, is_ingress_enabled: false, count: -1.5e3, list: [[], {}] };
  expect(await send("POST", `/v3/applications/${id}/processes?$KEY='`, json, unknown)).toContain("$KEY");
  expect(await send("PATCH", path, { ...json, "If-Match": '"7e1de5"' }, CHANGE)).toContain("412");
  expect(await send("PATCH", path, { ...json, "If-Match": "*" }, CHANGE)).toContain("two lines ☕");
  const changed = await api.fetch(path, { headers: { ...bearer(token).headers, "cache-control": "no-cache" } });
  expect(await changed.json()).toMatchObject(CHANGE);
  expect(await send("DELETE", path)).toContain("cannot be deleted");
});

test("every call in llms.txt succeeds with a key and with ids of things that are there", async () => {
  const calls = callsIn(await (await api.fetch("/llms.txt")).text());
  expect(calls.length).toBeGreaterThanOrEqual(operations.length);
  for (const { curl, method, path } of calls) {
    const companyId = await records.company();
    const { token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    const ids: Record<string, string> = await records.pathIds(companyId);
    // A probe is for a web process.
    if (method === "PATCH") ids.process_id = (await records.process(String(ids.id), { type: "web" })).id;
    const { examples } = operations.find((one) => one.method === method && one.path(one.examples) === path) ?? {};
    let own = curl.replace("https://<this host>", api.url.origin);
    for (const [name, example] of Object.entries(examples ?? {})) own = own.replaceAll(example, String(ids[name]));
    const { stdout } = await run("sh", ["-c", `${own} -s -w '\\n%{http_code}'`], {
      env: { ...process.env, KEY: token },
    });
    expect(stdout, own).toMatch(/\n200$/);
  }
});
