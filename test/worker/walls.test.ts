// The walls between companies, and between the applications that a key is for: at every private operation of the OpenAPI
// document, with every combination of ids.
import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { useApi } from "../support/api.ts";
import { type Operation, privateOperations } from "../support/operations.ts";
import { OWNED_TABLES } from "../support/owned-tables.ts";
import { sha256, useRecords } from "../support/records.ts";
import { describeResponse, idsIn } from "../support/response.ts";
import { captureStatement } from "../support/statement.ts";
import { sendRead } from "../support/statements.ts";

type Ids = Record<string, string>;

/** A company, with an id for each parameter of a path. */
interface World {
  companyId: string;
  ids: Ids;
}

const api = useApi();
const records = useRecords();
let own: World;
let foreign: World;
let absent: Ids;
/** May do everything, in its company. */
let key: string;
beforeAll(async () => {
  own = await createWorld();
  foreign = await createWorld();
  absent = Object.fromEntries(Object.keys(own.ids).map((name) => [name, randomUUID()]));
  key = (await records.key(own.companyId, { permissions: ALL_PERMISSIONS })).token;
});

const ALL_PERMISSIONS = ["APP:READ", "APP:CREATE", "APP:UPDATE", "APP:DELETE"] as const;

async function createWorld(): Promise<World> {
  const companyId = await records.company(`Company ${randomUUID()}`);
  await records.key(companyId);
  return { companyId, ids: await records.pathIds(companyId) };
}

/** Ids of rows that another company has, and of companies whose names are in a body. */
async function rowsOfOthers(body: string): Promise<string[]> {
  const tables = OWNED_TABLES.filter(({ hasId }) => hasId).map(
    ({ name, from }) => `select ${name}.id from ${from} where ${name}.id = any($1) and companies.id <> $2`,
  );
  const { rows } = await records.pool.query<{ id: string }>(
    `${tables.join(" union all ")}
     union all select id from companies where strpos($3, to_json(name)::text) > 0 and id <> $2`,
    [idsIn(body), own.companyId, body],
  );
  return rows.map(({ id }) => id);
}

const OWNERS = ["own", "foreign", "absent"] as const;
type Owner = (typeof OWNERS)[number];

/** Every way to choose an owner for each parameter. */
const choices = ({ parameters }: Operation): Owner[][] =>
  parameters.reduce<Owner[][]>((all, _) => all.flatMap((one) => OWNERS.map((owner) => [...one, owner])), [[]]);

function idsOf({ parameters }: Operation, owners: readonly Owner[]): Ids {
  const sources = { own: own.ids, foreign: foreign.ids, absent };
  return Object.fromEntries(parameters.map((name, i) => [name, sources[owners[i] as Owner][name] as string]));
}

const ask = (operation: Operation, ids: Ids, token: string) => api.fetch(operation.path(ids), operation.request(token));

/** Asks for what the database says now. */
function askNow(operation: Operation, token: string): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "cache-control": "no-cache" };
  return api.fetch(operation.path(own.ids), { headers });
}

/** A body as if its key had not been used. */
const unused = (body: string): string => body.replaceAll(/"last_used_at":"[^"]*"/g, '"last_used_at":null');

/** Everything that a company has, but when its keys were last used. */
async function stateOf({ companyId }: World): Promise<unknown> {
  const tables = OWNED_TABLES.map(
    ({ name, from }) =>
      `select '${name}' as table, to_jsonb(${name}) - 'last_used_at' as row from ${from} where companies.id = $1`,
  );
  const { rows } = await records.pool.query(`${tables.join(" union all ")} order by 1, 2`, [companyId]);
  return rows;
}

/** All of an answer but what says that another one came before. */
async function describeAny(response: Response) {
  const { headers, ...others } = await describeResponse(response);
  const { "cache-status": _status, age: _age, ...lasting } = headers;
  return { ...others, headers: lasting };
}

/** The answer is that of what does not exist, byte for byte. */
async function expectAsAbsent(operation: Operation, ids: Ids, absentIds: Ids, token: string): Promise<void> {
  const answered = await describeAny(await ask(operation, ids, token));
  expect(answered.status).toBe(404);
  expect(answered).toStrictEqual(await describeAny(await ask(operation, absentIds, token)));
}

// An answer would be refused; this one is not even put together.
const ofApplications = privateOperations.filter(({ isWrite, parameters }) => !isWrite && parameters.includes("id"));
test.for(ofApplications)(
  "the statement of $id finds nothing for a key without the permission",
  async ({ id: name }) => {
    const { id = "", process_id = "" } = own.ids;
    const bodyFor = async (token: string) => {
      const asked = { keyHash: sha256(token), id, process_id, limit: 25, offset: 0 };
      const { text, params } = await captureStatement((db) => sendRead(db, name, asked));
      return (await records.pool.query(text, params)).rows[0].body;
    };
    const { token } = await records.key(own.companyId, { permissions: ["APP:UPDATE"] });
    expect([await bodyFor(key), await bodyFor(token)]).toStrictEqual([expect.any(String), null]);
  },
);

test("the document has private operations", () => {
  expect(privateOperations.length).toBeGreaterThan(3);
});

describe.for(privateOperations)("$id", (operation) => {
  const isOfAll = operation.needsPermission && !operation.parameters.includes("id");
  const mixed = choices(operation).filter((owners) => owners.includes("foreign"));

  test.for(mixed.map((owners) => ({ owners })))(
    "takes what is another company's for absent: $owners",
    async ({ owners }) => {
      const before = await stateOf(foreign);
      const asIfAbsent = owners.map((owner) => (owner === "foreign" ? "absent" : owner));
      await expectAsAbsent(operation, idsOf(operation, owners), idsOf(operation, asIfAbsent), key);
      expect(await stateOf(foreign)).toStrictEqual(before);
    },
  );

  test.for(operation.parameters.filter((name) => name !== "id"))(
    "takes what another application of the company has for absent: %s",
    async (name) => {
      const sibling: Ids = await records.pathIds(own.companyId);
      const { token } = await records.key(own.companyId, {
        permissions: ALL_PERMISSIONS,
        resourceId: own.ids.id as string,
      });
      const before = await stateOf(own);
      const idsWith = (others: Ids): Ids => ({ ...own.ids, [name]: others[name] as string });
      for (const asker of [key, token]) await expectAsAbsent(operation, idsWith(sibling), idsWith(absent), asker);
      expect(await stateOf(own)).toStrictEqual(before);
    },
  );

  test("answers with no row of another company, and changes none", async () => {
    const before = await stateOf(foreign);
    // A write may delete what the others ask for.
    const ids = operation.isWrite ? await records.pathIds(own.companyId) : own.ids;
    const response = await ask(operation, ids, key);
    expect(response.status).toBe(200);
    expect(await rowsOfOthers(await response.text())).toStrictEqual([]);
    expect(await stateOf(foreign)).toStrictEqual(before);
  });

  if (!operation.isWrite)
    test("shows nothing that is written for another application or another company", async () => {
      const { token } = await records.key(own.companyId, {
        permissions: ALL_PERMISSIONS,
        resourceId: own.ids.id as string,
      });
      // A list of applications shows new ones to a key that is for all of them.
      const askers = isOfAll ? [token] : [key, token];
      const bodies = () =>
        Promise.all(askers.map(async (asker) => unused(await (await askNow(operation, asker)).text())));
      const before = await bodies();
      await records.pathIds(own.companyId);
      await createWorld();
      expect(await bodies()).toStrictEqual(before);
    });

  if (operation.needsPermission)
    test("forbids a key that has every other permission, whatever exists", async () => {
      const needed = operation.isWrite ? "APP:UPDATE" : "APP:READ";
      const others = ALL_PERMISSIONS.filter((permission) => permission !== needed);
      const { token } = await records.key(own.companyId, { permissions: others });
      const before = await stateOf(own);
      const answers = await Promise.all(
        choices(operation).map(async (owners) => describeAny(await ask(operation, idsOf(operation, owners), token))),
      );
      expect(answers[0]).toMatchObject({
        status: 403,
        headers: { "www-authenticate": `Bearer realm="process-api", error="insufficient_scope", scope="${needed}"` },
      });
      for (const answer of answers) expect(answer).toStrictEqual(answers[0]);
      expect(await stateOf(own)).toStrictEqual(before);
    });

  if (isOfAll)
    test("shows a key that is for one application no other", async () => {
      const { id: resourceId } = await records.application(own.companyId);
      const { token } = await records.key(own.companyId, { permissions: ALL_PERMISSIONS, resourceId });
      const response = await ask(operation, {}, token);
      expect(response.status).toBe(200);
      const { rows } = await records.pool.query("select id from applications where id = any($1) and id <> $2", [
        idsIn(await response.text()),
        resourceId,
      ]);
      expect(rows).toStrictEqual([]);
    });

  if (operation.parameters.includes("id"))
    test("forbids a key that is for another application", async () => {
      const other = await records.application(own.companyId);
      const { token } = await records.key(own.companyId, { permissions: ALL_PERMISSIONS, resourceId: other.id });
      const before = await stateOf(own);
      for (const owners of choices(operation)) {
        expect([owners, (await ask(operation, idsOf(operation, owners), token)).status]).toStrictEqual([owners, 403]);
      }
      expect(await stateOf(own)).toStrictEqual(before);
    });
});
