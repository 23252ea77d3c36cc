// The walls between companies, and between the applications that a key is for: at every private operation of the OpenAPI
// document, with every combination of ids.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { describeAnswer } from "../support/answer.ts";
import { startApi, type TestApi } from "../support/api.ts";
import { type Operation, privateOperations } from "../support/operations.ts";
import { openRecords, type Records } from "../support/records.ts";

type Ids = Record<string, string>;

/** A company, with the id that each parameter of a path may name. */
interface World {
  companyId: string;
  ids: Ids;
}

let api: TestApi;
let records: Records;
let own: World;
let foreign: World;
const absent: Ids = { id: randomUUID(), process_id: randomUUID() };
/** May do everything, in its company. */
let key: string;
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
  records = await openRecords(inject("connectionString"));
  own = await createWorld();
  foreign = await createWorld();
  key = (await records.key(own.companyId, { permissions: ALL_PERMISSIONS })).token;
});
afterAll(async () => {
  await records.close();
  await api.close();
});

const ALL_PERMISSIONS = ["APP:READ", "APP:CREATE", "APP:UPDATE", "APP:DELETE"] as const;

async function createWorld(): Promise<World> {
  const companyId = await records.company(`Company ${randomUUID()}`);
  const application = await records.application(companyId);
  // Of the type that every operation takes.
  const process = await records.process(application.id, { type: "cron" });
  await records.key(companyId);
  return { companyId, ids: { id: application.id, process_id: process.id } };
}

/** Ids of rows that another company has, and of companies whose names are in a body. */
async function rowsOfOthers(body: string): Promise<string[]> {
  const ids = body.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [];
  const { rows } = await records.pool.query<{ id: string }>(
    `select id from (
       select id, id as company_id from companies
       union all select id, company_id from applications
       union all select id, company_id from api_keys
       union all select p.id, a.company_id from processes p join applications a on a.id = p.application_id
     ) as owned
     where id = any($1) and company_id <> $2
     union all select id from companies where strpos($3, to_json(name)::text) > 0 and id <> $2`,
    [ids, own.companyId, body],
  );
  return rows.map(({ id }) => id);
}

/** Brings back what a write has deleted. */
async function restore(): Promise<void> {
  await records.pool.query(
    "insert into processes (id, application_id, key, type, entrypoint) values ($1, $2, 'restored', 'cron', '') on conflict do nothing",
    [own.ids.process_id, own.ids.id],
  );
}

const OWNERS = ["own", "foreign", "absent"] as const;
type Owner = (typeof OWNERS)[number];

/** Every way to choose an owner for each parameter. */
const choices = ({ parameters }: Operation): Owner[][] =>
  parameters.reduce<Owner[][]>((all, _) => all.flatMap((one) => OWNERS.map((owner) => [...one, owner])), [[]]);

function idsOf({ parameters }: Operation, owners: readonly Owner[]): Ids {
  const sources = { own: own.ids, foreign: foreign.ids, absent };
  return Object.fromEntries(
    parameters.map((name, i) => {
      const id = sources[owners[i] as Owner][name];
      if (id === undefined) throw new Error(`Say in this test what {${name}} may name`);
      return [name, id];
    }),
  );
}

const ask = (operation: Operation, ids: Ids, token: string) => api.fetch(operation.path(ids), operation.request(token));

/** Everything that the other company has. */
async function stateOfOthers(): Promise<unknown> {
  const { rows } = await records.pool.query(
    `select to_jsonb(a) as application, to_jsonb(p) as process,
       (select count(*) from process_runs r where r.process_id = p.id) as runs,
       (select count(*) from processes other where other.application_id = a.id) as processes
     from applications a join processes p on p.application_id = a.id where a.id = $1 and p.id = $2`,
    [foreign.ids.id, foreign.ids.process_id],
  );
  return rows;
}

/** All of an answer but what says that another one came before. */
async function describeAny(response: Response) {
  const { headers, ...others } = await describeAnswer(response);
  const { "cache-status": _status, age: _age, ...lasting } = headers;
  return { ...others, headers: lasting };
}

test("the document has private operations", () => {
  expect(privateOperations.length).toBeGreaterThan(3);
});

describe.for(privateOperations)("$id", (operation) => {
  const mixed = choices(operation).filter((owners) => owners.includes("foreign"));

  test.for(mixed.map((owners) => ({ owners })))(
    "takes what is another company's for absent: $owners",
    async ({ owners }) => {
      const before = await stateOfOthers();
      const answered = await describeAny(await ask(operation, idsOf(operation, owners), key));
      expect(answered.status).toBe(404);
      const asIfAbsent = owners.map((owner) => (owner === "foreign" ? "absent" : owner));
      const absence = await describeAny(await ask(operation, idsOf(operation, asIfAbsent), key));
      expect(answered).toStrictEqual(absence);
      expect(await stateOfOthers()).toStrictEqual(before);
    },
  );

  test("answers with no row of another company, and changes none", async () => {
    const before = await stateOfOthers();
    const response = await ask(
      operation,
      idsOf(
        operation,
        operation.parameters.map(() => "own"),
      ),
      key,
    );
    expect(response.status).toBe(200);
    expect(await rowsOfOthers(await response.text())).toStrictEqual([]);
    expect(await stateOfOthers()).toStrictEqual(before);
    // For the operations that are still to come.
    if (operation.isWrite) await restore();
  });

  test.runIf(operation.needsPermission)("forbids a key without the permission, whatever exists", async () => {
    const { token } = await records.key(own.companyId, { permissions: [] });
    const answers = await Promise.all(
      choices(operation).map(async (owners) => describeAny(await ask(operation, idsOf(operation, owners), token))),
    );
    expect(answers[0]?.status).toBe(403);
    for (const answer of answers) expect(answer).toStrictEqual(answers[0]);
  });

  test.runIf(operation.parameters.includes("id"))("forbids a key that is for another application", async () => {
    const other = await records.application(own.companyId);
    const { token } = await records.key(own.companyId, { permissions: ALL_PERMISSIONS, resourceId: other.id });
    for (const owners of choices(operation)) {
      expect([owners, (await ask(operation, idsOf(operation, owners), token)).status]).toStrictEqual([owners, 403]);
    }
  });
});
