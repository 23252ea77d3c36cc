// The OpenAPI document against the answers: nothing is sent that it does not tell, and it tells nothing that is never
// sent.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { CORS_HEADERS } from "../../../src/worker/gateway/cors.ts";
import { startApi, type TestApi } from "../../support/api.ts";
import { type DocumentedResponse, responsesOf, validatorOf } from "../../support/document.ts";
import { document } from "../../support/operations.ts";
import { bearer, openRecords, type Records, randomToken } from "../../support/records.ts";

interface Answer {
  what: string;
  status: number;
  headers: Headers;
  body: string;
}

/** Headers of HTTP itself, and for browsers: the same on every answer, whatever was asked. */
const UNDOCUMENTED = new Set([
  ...Object.keys(CORS_HEADERS),
  "connection",
  "content-encoding",
  "content-length",
  "content-security-policy",
  "content-type",
  "cross-origin-resource-policy",
  "date",
  "keep-alive",
  "referrer-policy",
  "strict-transport-security",
  "transfer-encoding",
  "x-content-type-options",
]);

let api: TestApi;
/** Where a budget is one request. */
let limited: TestApi;
let records: Records;
beforeAll(async () => {
  const connectionString = inject("connectionString");
  api = await startApi({ connectionString });
  limited = await startApi({ connectionString, limits: { KEY_LIMIT: 1, ADDRESS_LIMIT: 1 } });
  records = await openRecords(connectionString);
});
afterAll(async () => {
  await records.close();
  await limited.close();
  await api.close();
});

let addresses = 0;

/** From an address that has not asked before. */
const fromElsewhere = () => ({ "cf-connecting-ip": `192.0.2.${addresses++}` });

const answers = new Map<string, Promise<Answer[]>>();

/** The answers of the operation at `path` to all that can be done to it; asked for once. */
function answersOf(path: string): Promise<Answer[]> {
  const known = answers.get(path) ?? provoke(path);
  answers.set(path, known);
  return known;
}

async function provoke(template: string): Promise<Answer[]> {
  const companyId = await records.company();
  const application = await records.application(companyId);
  const process = await records.process(application.id);
  const token = async (permissions: "APP:READ"[] = ["APP:READ"]) =>
    (await records.key(companyId, { permissions })).token;
  const key = await token();
  const path = (id: string = application.id, processId: string = process.id) =>
    `/v3${template.replace("{id}", id).replace("{process_id}", processId)}`;

  const seen: Answer[] = [];
  async function see(what: string, request: Promise<Response>): Promise<Answer> {
    const response = await request;
    const answer = { what, status: response.status, headers: response.headers, body: await response.text() };
    seen.push(answer);
    return answer;
  }
  const get = (to: string, withToken: string, headers: Record<string, string> = {}) =>
    api.fetch(to, { headers: { ...bearer(withToken).headers, ...headers } });

  const miss = await see("a first request", get(path(), key));
  await api.advance(1);
  await see("a second", get(path(), key));
  await see("one for what is known", get(path(), key, { "if-none-match": String(miss.headers.get("etag")) }));
  await see("one for what is known by its date", get(path(), key, { "if-modified-since": new Date().toUTCString() }));
  await see("HEAD", api.fetch(path(), { method: "HEAD", ...bearer(key) }));
  await see("an id that is none", get(path("x"), key));
  await see("a page of none", get(`${path()}?limit=0`, key));
  await see("no key", api.fetch(path()));
  await see("a key that nobody has", get(path(), randomToken()));
  await see("a key without a permission", get(path(), await token([])));
  await see("a process that does not exist", get(path(application.id, randomUUID()), key));
  await see("an application that does not exist", get(path(randomUUID()), key));
  await see("POST", api.fetch(path(), { method: "POST", ...bearer(key) }));
  await see("a long URL", get(`${path()}?${"x".repeat(8_000)}`, key));
  await see("a long header", api.fetch(path(), { headers: { authorization: "x".repeat(1_025) } }));
  api.fail("SQL error");
  await see("a query that fails", get(path(), await token()));
  api.fail("500");
  await see("a database that is away", get(path(), await token()));
  api.fail(undefined);
  await spend("a key's budget", () => ({ ...bearer(key).headers, ...fromElsewhere() }));
  const elsewhere = fromElsewhere();
  await spend("an address's budget", () => elsewhere);
  return seen;

  /** Windows are fixed: the second request may be the first of the next one. */
  async function spend(what: string, headersOf: () => Record<string, string>): Promise<void> {
    for (let n = 0; n < 3; n++) {
      const { status } = await see(what, limited.fetch(path(), { headers: headersOf() }));
      if (status === 429) return;
    }
  }
}

const paths = Object.keys(document.paths ?? {});

test("there are operations", () => {
  expect(paths.length).toBeGreaterThan(3);
});

describe.for(paths)("GET %s", (path) => {
  const documented = responsesOf(path);

  test("answers with each status that is documented, and with no other", async () => {
    const sent = new Set((await answersOf(path)).map(({ status }) => status));
    expect([...sent].sort()).toStrictEqual([...documented.keys()].sort());
  });

  test("sends each header that is documented, and no other", async () => {
    const all = await answersOf(path);
    for (const [status, response] of documented) {
      const sent = new Set(all.filter((it) => it.status === status).flatMap(({ headers }) => [...headers.keys()]));
      const told = [...sent].filter((name) => !UNDOCUMENTED.has(name));
      expect([status, ...told.sort()]).toStrictEqual([status, ...Object.keys(response.headers).sort()]);
    }
  });

  test("sends in each header what is documented of it, and those always that are required", async () => {
    for (const { what, status, headers } of await answersOf(path)) {
      for (const [name, { required, schema }] of Object.entries(documented.get(status)?.headers ?? {})) {
        const value = headers.get(name);
        if (required) expect([what, name, value]).not.toStrictEqual([what, name, null]);
        if (value !== null) expect([what, name, validatorOf(schema)(asTyped(value, schema))]).toContain(true);
      }
    }
  });

  test("sends bodies that are valid by their schemas", async () => {
    for (const { what, status, body } of await answersOf(path)) {
      const schema = documented.get(status)?.body?.schema;
      if (schema === undefined || what === "HEAD") expect([what, body]).toStrictEqual([what, ""]);
      else expect([what, validatorOf(schema)(JSON.parse(body))]).toStrictEqual([what, true]);
    }
  });
});

/** A header says a number in digits. */
const asTyped = (value: string, schema: object): unknown =>
  "type" in schema && schema.type === "integer" ? Number(value) : value;

test("every example of a failure is sent word for word, but for the id of the request", async () => {
  const told = new Map<string, string>();
  for (const path of paths) {
    for (const [status, { body }] of responsesOf(path)) if (status >= 400) addExamples(told, body);
  }
  const sent = new Set<string>();
  for (const path of paths) {
    for (const { status, body } of await answersOf(path)) if (status >= 400) sent.add(wordsOf(JSON.parse(body)));
  }
  expect(told.size).toBeGreaterThan(10);
  expect([...told].filter(([words]) => !sent.has(words))).toStrictEqual([]);
});

function addExamples(told: Map<string, string>, body: DocumentedResponse["body"]): void {
  for (const [name, { value }] of Object.entries(body?.examples ?? {})) told.set(wordsOf(value), name);
}

function wordsOf(error: unknown): string {
  const { message, status, data } = error as { message: string; status: number; data: { message: string } };
  return `${status} ${message} ${data.message}`;
}
