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

const run = promisify(execFile);

/** How a reader runs each. */
const COMMANDS: Record<string, { file: string; command: string; needs: string[] }> = {
  curl: { file: "call.sh", command: "sh", needs: ["curl", "--version"] },
  typescript: { file: "call.ts", command: process.execPath, needs: [process.execPath, "--version"] },
  python: { file: "call.py", command: "python3", needs: ["python3", "-c", "import requests"] },
};

let origin: string;
let folder: string;
const received: ApiRequest[] = [];
const server = createServer(async (request, response) => {
  const body = (await request.toArray()).join("");
  const { authorization = "", "if-match": ifMatch, "content-type": contentType } = request.headers;
  expect(authorization).toBe("Bearer svl_of-the-reader");
  received.push({
    method: String(request.method),
    url: new URL(origin + request.url).href,
    headers: { ...(ifMatch && { "If-Match": ifMatch }), ...(contentType && { "Content-Type": contentType }) },
    body: body === "" ? undefined : JSON.parse(body),
  });
  response.setHeader("content-type", "application/json").end('{"answered":true}');
});

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), "process-api-samples-"));
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const BODY = {
  display_name: `It's "quoted", \\ and \`true\` for $KEY or null\n\ttwo lines ☕`,
  probe: null,
  enabled: true,
  disabled: false,
  count: -1.5e3,
  list: [[], {}],
};

const REQUESTS: [name: string, request: Omit<ApiRequest, "url">][] = [
  ["a read", { method: "GET", headers: {} }],
  ["a condition", { method: "DELETE", headers: { "If-Match": '"7e1de5"' } }],
  [
    "a body",
    {
      method: "PATCH",
      headers: { "If-Match": '"7e1de5"', "Content-Type": "application/json" },
      body: JSON.stringify(BODY, null, 2),
    },
  ],
];

for (const [language, { file, command, needs }] of Object.entries(COMMANDS)) {
  const [program = "", ...options] = needs;
  const isThere = await run(program, options).then(
    () => true,
    () => false,
  );
  test.skipIf(!isThere).for(REQUESTS)(`a sample in ${language} sends %s`, async ([, parts]) => {
    const request = { ...parts, url: new URL("/v3/it's%20a%22process?name=$KEY&limit=1", origin).href };
    const path = join(folder, file);
    await writeFile(path, String(LANGUAGES[language]?.sampleOf(request)));
    received.length = 0;
    const { stdout } = await run(command, [path], { cwd: folder, env: { ...process.env, KEY: "svl_of-the-reader" } });
    expect(received).toStrictEqual([{ ...request, body: request.body === undefined ? undefined : BODY }]);
    expect(stdout).toMatch(/answered/);
  });
}
