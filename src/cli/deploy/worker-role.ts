// The Worker's own roles in Postgres: two of them, by turns, so that its password can change while it answers.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { CommandError } from "../support/errors.ts";
import { describeFailure } from "./migrations.ts";

/** Holds what the Worker may do, for both. */
const RIGHTS = "worker_rights";
const ROLES = ["worker_1", "worker_2"] as const;
export type WorkerRole = (typeof ROLES)[number];

/** Beside reading. A test has the Worker do all that it does as one of the roles. */
const GRANTS = [
  "select on all tables in schema public",
  "insert, update, delete on processes",
  // Those that have expired are locked, too.
  "insert, update (id), delete on process_runs",
  "insert on audit_log",
  "insert, update, delete on idempotent_answers",
  "update (last_used_at) on api_keys, api_key_tokens",
  // To lock what a write decides by, which takes the right to change a column.
  "update (updated_at) on applications",
  "update (id) on api_key_capabilities",
  // For the feed.
  "update on feed",
  "update (xid), delete on changes",
];

export const isWorkerRole = (name: string): name is WorkerRole => ROLES.includes(name as WorkerRole);

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

/** Lets both roles do what the Worker of this checkout does; nothing where there is no such role. */
export async function grantRights(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query("select from pg_roles where rolname = $1", [RIGHTS]);
  if (rowCount === 0) return;
  for (const grant of GRANTS) await client.query(`grant ${grant} to ${RIGHTS}`);
}

/**
 * Gives a role a new password, and makes it if there is none.
 *
 * Neon takes a password in plain text alone, of 60 bits of entropy at least; and a role that its console makes may do
 * everything. https://neon.com/docs/manage/roles#manage-roles-with-sql (read 2026-11-25)
 *
 * @returns the password
 */
export async function renewPassword(client: pg.Client, role: WorkerRole): Promise<string> {
  // Base64 for URLs needs no quoting, neither in SQL nor in a connection string.
  const password = randomBytes(32).toString("base64url");
  await client.query("begin");
  await client.query(
    `do $$ begin if not exists (select from pg_roles where rolname = '${RIGHTS}') then create role ${RIGHTS}; end if; end $$`,
  );
  await grantRights(client);
  const verb = (await findRoles(client)).includes(role) ? "alter" : "create";
  await client.query(`${verb} role ${role} login password '${password}'`);
  await client.query(`grant ${RIGHTS} to ${role}`);
  await client.query("commit");
  return password;
}

export async function countConnections(client: pg.Client, role: WorkerRole): Promise<number> {
  const { rows } = await client.query("select count(*)::int from pg_stat_activity where usename = $1", [role]);
  return rows[0].count;
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
