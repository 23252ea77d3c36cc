// The OpenAPI document against the answers: all that is sent is documented, and all that is documented is sent.
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { CORS_HEADERS } from "../../../src/worker/gateway/cors.ts";
import { SETTINGS } from "../../../src/worker/shared/config.ts";
import { useApi } from "../../support/api.ts";
import { responsesOf, validatorOf } from "../../support/document.ts";
import { type Operation, operations } from "../../support/operations.ts";
import { bearer, randomToken, useRecords } from "../../support/records.ts";

type Answer = { what: string; status: number; headers: Headers; body: string };

/** Headers of HTTP itself, and for browsers: the same on every answer, whatever was asked. */
const UNDOCUMENTED = new Set([
  ...Object.keys(CORS_HEADERS),
  ..."connection content-encoding content-length content-type date keep-alive transfer-encoding".split(" "),
  ..."content-security-policy cross-origin-resource-policy referrer-policy strict-transport-security".split(" "),
  "x-content-type-options",
]);

const api = useApi();
/** Where each rate limit is one request. */
const limited = useApi({ limits: { KEY_LIMIT: 1, WRITE_LIMIT: 1, ADDRESS_LIMIT: 1 } });
const records = useRecords();

let addresses = 0;
/** From an address that has not asked before. */
const fromElsewhere = () => ({ "cf-connecting-ip": `192.0.2.${addresses++}` });

const answers = new Map<Operation, Promise<Answer[]>>();
/** The answers of an operation to all that can be done to it; asked for once. */
function answersOf(operation: Operation): Promise<Answer[]> {
  const known = answers.get(operation) ?? provoke(operation);
  answers.set(operation, known);
  return known;
}

async function provoke(operation: Operation): Promise<Answer[]> {
  const companyId = await records.company();
  const ids: Record<string, string> = await records.pathIds(companyId);
  // Long ago, so that they have a date.
  await records.pool.query("update applications set updated_at = '2025-01-30' where id = $1", [ids.id]);
  await records.pool.query("update processes set updated_at = '2025-01-30' where id = $1", [ids.process_id]);
  const token = async (permissions: readonly ("APP:READ" | "APP:UPDATE")[] = ["APP:READ", "APP:UPDATE"]) =>
    (await records.key(companyId, { permissions })).token;
  const key = await token();
  const path = (others: Record<string, string> = {}) => operation.path({ ...ids, ...others });
  const absent = Object.fromEntries(Object.keys(ids).map((name) => [name, randomUUID()]));

  const seen: Answer[] = [];
  async function see(what: string, request: Promise<Response>): Promise<Answer> {
    const response = await request;
    const answer = { what, status: response.status, headers: response.headers, body: await response.text() };
    seen.push(answer);
    return answer;
  }
  /** Asks what the operation is asked in any case; `init` beside it. */
  function ask(to: string, withToken: string, headers = {}, init: RequestInit = {}, worker = api) {
    const request = operation.request(withToken);
    return worker.fetch(to, { ...request, ...init, headers: { ...request.headers, ...headers } });
  }

  await (operation.isWrite ? seeWrites() : seeReads());
  await see("an id that is none", ask(path({ id: "x" }), key));
  await see("no key", api.fetch(path(), { method: operation.method }));
  await see("a key that nobody has", ask(path(), randomToken()));
  await see("a key without a permission", ask(path(), await token([])));
  await see("a thing that does not exist", ask(path({ ...absent, id: String(ids.id) }), key));
  await see("an application that does not exist", ask(path({ id: randomUUID() }), key));
  await see("another method", api.fetch(path(), { method: "PUT", ...bearer(key) }));
  await see("a long URL", ask(`${path()}?${"x".repeat(8_000)}`, key));
  await see("a long header", ask(path(), key, { authorization: "x".repeat(1_025) }));
  // With a key that nothing is stored for.
  api.fail("SQL error");
  await see("a query that fails", ask(path(), await token()));
  api.fail("500");
  await see("a database that is away", ask(path(), await token()));
  api.fail("cut body");
  await see("a database that is gone in the middle", ask(path(), await token()));
  api.fail(undefined);
  await spend("a key's budget", key, fromElsewhere);
  const elsewhere = fromElsewhere();
  await spend("an address's budget", "", () => elsewhere);
  return seen;

  async function seeReads(): Promise<void> {
    const miss = await see("a first request", ask(path(), key));
    await api.advance(1);
    await see("a second", ask(path(), key));
    await see("one for what is known", ask(path(), key, { "if-none-match": String(miss.headers.get("etag")) }));
    await see("one for what is known by its date", ask(path(), key, { "if-modified-since": new Date().toUTCString() }));
    await see("one for what has changed", ask(path(), key, { "if-match": '"x"' }));
    await see("one for what cannot be read", ask(path(), key, { "if-none-match": "9c56cc51" }));
    await see("HEAD", ask(path(), key, {}, { method: "HEAD" }));
    await see("a page of none", ask(`${path()}?limit=0`, key));
  }

  async function seeWrites(): Promise<void> {
    await see("one that is tried", ask(`${path()}?dry_run=true`, key));
    await see("one that is not sure what it is", ask(`${path()}?dry_run=maybe`, key));
    await see("one that is misspelt", ask(`${path()}?dryrun=true`, key));
    await see("one that is conditional", ask(`${path()}?dry_run=true`, key, { "if-match": '"x"' }));
    const writer = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
    await records.pool.query("insert into api_key_writes values ($1, (now() at time zone 'UTC')::date, $2)", [
      writer.id,
      SETTINGS.KEY_DAILY_WRITE_BYTES.default,
    ]);
    await see("one beyond the bound of a day", ask(path(), writer.token));
    const once = { "idempotency-key": randomUUID() };
    await see("one that is sent once", ask(path(), key, once));
    await see("one that is sent again", ask(path(), key, once));
    const change = "update idempotent_answers set fingerprint = $1 where key = $2";
    await records.pool.query(change, [Buffer.alloc(32), once["idempotency-key"]]);
    await see("one that is sent again for something else", ask(path(), key, once));
    await see("one whose key is too long", ask(path(), key, { "idempotency-key": "x".repeat(256) }));
    const withBody = (body: string, type = "application/json") => ask(path(), key, { "content-type": type }, { body });
    // In the way that the document shows, and in others.
    const wrong = { display_name: "", scaling_strategy: { type: "manual", config: { instanceCount: 51 } } };
    await see("a body that is wrong", withBody(JSON.stringify(wrong)));
    await see("a body of another type", withBody("{}", "text/plain"));
    await see("a body that is compressed", ask(path(), key, { "content-encoding": "gzip" }));
    await see("a body that is too large", withBody(`{"display_name":"${"x".repeat(65_536)}"}`));
  }

  /** Windows are fixed: the second request may be the first of the next one. */
  async function spend(what: string, withToken: string, headersOf: () => Record<string, string>): Promise<void> {
    for (let n = 0; n < 3; n++) {
      const { status } = await see(what, ask(path(), withToken, headersOf(), {}, limited));
      if (status === 429) return;
    }
  }
}

describe.for(operations)("$id", (operation) => {
  const documented = responsesOf(operation.documentPath, operation.method);

  test("answers with each status that is documented, and with no other", async () => {
    const sent = new Set((await answersOf(operation)).map(({ status }) => status));
    expect([...sent].sort()).toStrictEqual([...documented.keys()].sort());
  });

  test("sends each header that is documented, and no other", async () => {
    const all = await answersOf(operation);
    for (const [status, response] of documented) {
      const sent = new Set(all.filter((it) => it.status === status).flatMap(({ headers }) => [...headers.keys()]));
      const told = [...sent].filter((name) => !UNDOCUMENTED.has(name));
      // What is never cached has no age.
      const names = Object.keys(response.headers).filter((name) => operation.isCached || name !== "age");
      expect([status, ...told.sort()]).toStrictEqual([status, ...names.sort()]);
    }
  });

  test("sends in each header what is documented of it, and those always that are required", async () => {
    for (const { what, status, headers } of await answersOf(operation)) {
      for (const [name, { required, schema }] of Object.entries(documented.get(status)?.headers ?? {})) {
        const value = headers.get(name);
        if (required) expect([what, name, value]).not.toStrictEqual([what, name, null]);
        if (value !== null) expect([what, name, validatorOf(schema)(asTyped(value, schema))]).toContain(true);
      }
    }
  });

  test("sends bodies that are valid by their schemas", async () => {
    for (const { what, status, body } of await answersOf(operation)) {
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
  const told = new Set<string>();
  const sent = new Set<string>();
  for (const operation of operations) {
    for (const [status, { body }] of responsesOf(operation.documentPath, operation.method)) {
      if (status >= 400) for (const { value } of Object.values(body?.examples ?? {})) told.add(wordsOf(value));
    }
    for (const { status, body } of await answersOf(operation)) if (status >= 400) sent.add(wordsOf(JSON.parse(body)));
  }
  // Else nothing was asked, or nothing is told.
  expect(operations.length).toBeGreaterThan(3);
  expect(told.size).toBeGreaterThan(10);
  expect([...told].filter((words) => !sent.has(words))).toStrictEqual([]);
});

function wordsOf(error: unknown): string {
  const { message, status, data } = error as { message: string; status: number; data: { message: string } };
  return `${status} ${message} ${data.message}`;
}
