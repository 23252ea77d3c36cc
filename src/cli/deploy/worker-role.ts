// The Worker's own roles in Postgres: two of them, by turns, so that its password can change while it answers.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { CommandError, usageError } from "../../node/errors.ts";
import { importAll } from "../../node/modules.ts";
import { SETTINGS } from "../../worker/shared/config.ts";
import { describeFailure } from "./migrations.ts";

/** Holds what the Worker may do, for both. */
const RIGHTS = "worker_rights";
const ROLES = ["worker_1", "worker_2"] as const;
export type WorkerRole = (typeof ROLES)[number];

/**
 * All that the Worker may do: the RIGHTS of each table, by column unless all of them are read. All of a table also where a version
 * reads columns that a later one has added. Tests have it do all that it does as one of the roles, and compare its rights with a
 * list (test/worker/db/grants.txt).
 *
 * The version before still responds while a release runs, and again after a rollback: take back what this version no longer
 * needs in the release after it.
 */
const tables = await importAll<{ RIGHTS?: string[] }>("src/worker/**/table.ts");
const GRANTS = tables.flatMap(({ RIGHTS = [] }) => RIGHTS);

/** What this version or another has given. Not all that there is: some of it may be an extension's, and not ours to give. */
const REVOKE_ALL = `do $$ declare held text; begin
  for held in
    select distinct case classid
      when 'pg_class'::regclass then 'table ' || objid::regclass else 'function ' || objid::regprocedure end
    from pg_shdepend
    where refclassid = 'pg_authid'::regclass and refobjid = '${RIGHTS}'::regrole and deptype = 'a'
      and dbid = (select oid from pg_database where datname = current_database())
      and classid in ('pg_class'::regclass, 'pg_proc'::regclass)
  loop
    execute 'revoke all on ' || held || ' from ${RIGHTS}';
  end loop;
end $$`;

/**
 * So that Postgres ends a query also when nobody hangs up: no version waits for longer. Not what this one is set to, because
 * others use the roles as well. A write sets its own, which is shorter.
 */
const STATEMENT_TIMEOUT_MS = SETTINGS.DATABASE_DEADLINE_MS.maximum;

/** The one that a connection string names; undefined if it names another. */
export function roleOf(connectionString: string): WorkerRole | undefined {
  const { username } = new URL(connectionString);
  return ROLES.find((role) => role === decodeURIComponent(username));
}

export const otherRole = (role: WorkerRole): WorkerRole => (role === ROLES[0] ? ROLES[1] : ROLES[0]);

/**
 * Works as the role that owns the schema.
 *
 * @param connectionString a direct one
 * @param what it does, for the error
 * @throws CommandError in the words of Postgres
 */
export async function asOwner<T>(
  connectionString: string,
  what: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: "process-api roles" });
  // A connection that is lost fails the query, too.
  client.on("error", () => {});
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw error instanceof CommandError ? error : new CommandError(`${what}: ${describeFailure(error)}`);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Those of the two that there are. */
export async function findRoles(client: pg.Client): Promise<WorkerRole[]> {
  const { rows } = await client.query("select rolname from pg_roles where rolname = any($1)", [ROLES]);
  return rows.map(({ rolname }) => rolname);
}

/** Lets both roles do what the Worker of this checkout does, and nothing else; nothing where there is no such role. */
export async function grantRights(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query("select from pg_roles where rolname = $1", [RIGHTS]);
  if (rowCount === 0) return;
  const grants = GRANTS.map((grant) => `grant ${grant} to ${RIGHTS}`);
  const timeouts = (await findRoles(client)).map(
    (role) => `alter role ${role} set statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
  );
  // One query of many statements is one transaction: the Worker goes on meanwhile.
  await client.query([REVOKE_ALL, ...grants, ...timeouts].join("; "));
}

/**
 * Gives a role a new password, and makes it if there is none.
 *
 * Neon takes a password in plain text alone, of 60 bits of entropy at least; and a role that its console makes may do
 * everything. https://neon.com/docs/manage/roles#manage-roles-with-sql (read 2026-11-25)
 *
 * @returns the password
 * @throws CommandError if the role has connections
 */
export async function renewPassword(client: pg.Client, role: WorkerRole): Promise<string> {
  const { rowCount } = await client.query("select from pg_stat_activity where usename = $1", [role]);
  if (rowCount !== 0) {
    throw usageError(
      `${role} has ${rowCount} connections, so the Worker seems to use it: was the last rotation released? If nothing needs it, npm run rotate -- --end locks it out.`,
    );
  }
  // Base64 for URLs needs no quoting, neither in SQL nor in a connection string.
  const password = randomBytes(32).toString("base64url");
  await client.query("begin");
  await client.query(
    `do $$ begin if not exists (select from pg_roles where rolname = '${RIGHTS}') then create role ${RIGHTS}; end if; end $$`,
  );
  const verb = (await findRoles(client)).includes(role) ? "alter" : "create";
  await client.query(`${verb} role ${role} login password '${password}'`);
  await client.query(`grant ${RIGHTS} to ${role}`);
  await grantRights(client);
  await client.query("commit");
  return password;
}

/**
 * Lets nobody in as this role any more.
 *
 * @returns whether those who are in are out now, too: not every owner may do that
 */
export async function endRole(client: pg.Client, role: WorkerRole): Promise<boolean> {
  await client.query(`alter role ${role} nologin`);
  try {
    await client.query("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", [role]);
    return true;
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === "42501") return false;
    throw error;
  }
}
