// The samples that the page shows, run as a reader runs them: what they send, and what the Worker says to it.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiRequest, LANGUAGES } from "../../src/docs/page/samples.ts";
import { useApi } from "../support/api.ts";
import { useRecords } from "../support/records.ts";

const run = promisify(execFile);
const api = useApi();
const records = useRecords();

const passed: { sent: ApiRequest; authorization: string | undefined; status: number }[] = [];
/** Stands before the Worker, and keeps what passes. */
const server = createServer(async (request, response) => {
  const { authorization, "if-match": ifMatch, "content-type": type } = request.headers;
  const headers = { ...(ifMatch && { "If-Match": ifMatch }), ...(type && { "Content-Type": type }) };
  const { method = "", url = "" } = request;
  const body = (await request.toArray()).join("") || undefined;
  const init = { method, headers: { ...headers, ...(authorization && { authorization }) }, ...(body && { body }) };
  const answer = await api.fetch(url, init);
  passed.push({ sent: { method, url: origin + url, headers, body }, authorization, status: answer.status });
  response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
});
let origin: string;
let processes: string;
let processId: string;
let token: string;
let folder: string;
beforeAll(async () => {
  await run("sh", ["-c", "curl --version && python3 -c 'import requests'"]).catch(() => {
    throw new Error("The samples need curl and Python's requests: apt-get install curl python3-requests");
  });
  folder = await mkdtemp(join(tmpdir(), "process-api-samples-"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const companyId = await records.company();
  const { id } = await records.application(companyId);
  processes = `${origin}/v3/applications/${id}/processes`;
  processId = (await records.process(id, { type: "web" })).id;
  ({ token } = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] }));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const json = (body: unknown) => ({
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body, null, 2),
});
const NAME = `It's "quoted", \\ and \`true\` for $KEY or null\n\ttwo lines ☕`;
const ANYTHING = { name: NAME, nothing: null, enabled: true, disabled: false, count: -1.5e3, list: [[], {}] };

test.for([
  ["curl", "call.sh", "sh"],
  ["typescript", "call.ts", process.execPath],
  ["python", "call.py", "python3"],
] as const)("a sample in %s sends what it is to send, and shows the response", async ([language, file, program]) => {
  const change = json({ display_name: NAME, liveness_probe: null, readiness_probe: { exec: { command: ["true"] } } });
  const cases: [request: ApiRequest, status: number, shown: string][] = [
    [{ method: "GET", url: `${processes}?name=$KEY&limit=1`, headers: {} }, 200, processId],
    [{ method: "GET", url: `${processes}/it's%20a%22process`, headers: {} }, 400, "process_id"],
    [{ method: "DELETE", url: `${processes}/${processId}`, headers: { "If-Match": '"7e1de5"' } }, 412, "412"],
    [{ method: "PATCH", url: `${processes}/${processId}`, ...change }, 200, "two lines ☕"],
    [{ method: "PATCH", url: `${processes}/${processId}`, ...json(ANYTHING) }, 400, "nothing"],
  ];
  for (const [request, status, shown] of cases) {
    await writeFile(join(folder, file), String(LANGUAGES[language]?.sampleOf(request)));
    const { stdout } = await run(program, [file], { cwd: folder, env: { ...process.env, KEY: token } });
    expect(stdout).toContain(shown);
    const { sent, ...others } = passed.pop() ?? {};
    expect(others).toStrictEqual({ authorization: `Bearer ${token}`, status });
    expect({ ...sent, body: sent?.body && JSON.parse(sent.body) }).toStrictEqual({
      ...request,
      body: request.body && JSON.parse(request.body),
    });
  }
  const { rows } = await records.pool.query("select display_name from processes where id = $1", [processId]);
  expect(rows).toStrictEqual([{ display_name: NAME }]);
  expect(passed).toStrictEqual([]);
});
