// `npm run storage`: what each table takes, since when, and for how long, for operators.
import { DrizzleQueryError, sql } from "drizzle-orm";
import { type Database, findDatabase, withDatabase } from "../node/database.ts";
import type { Reader } from "../worker/db/client.ts";
import { isoTimestamp } from "../worker/db/expressions.ts";
import { SWEPT_TABLES, type SweptTable, sweep } from "../worker/feed/sweeps.ts";
import { SETTINGS } from "../worker/shared/config.ts";
import { RESPONSE_HOURS, RUN_DAYS } from "../worker/shared/limits.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { note, print, printJson, table } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

/** Of a table with more, Postgres' own estimate is shown. */
const COUNTED_ROWS = 100_000;
/** Until every response that the edge may have cached before has expired, whatever the settings. */
const CHANGE_DAYS = (SETTINGS.EDGE_FRESH_SECONDS.maximum + SETTINGS.EDGE_STALE_IF_ERROR_SECONDS.maximum) / (24 * 3_600);

const NOTES = `
Prints a line for each table, the largest first: what it takes with its indexes, how many
rows it has (estimated from ${COUNTED_ROWS} on), when its oldest row is from where that can be
told quickly, and for how long it is kept. With --json a list of objects:
  table        its name
  bytes        with indexes and what is stored outside of rows
  rows         how many
  is_estimate  whether they were estimated
  since        when the oldest row is from, ISO 8601 in UTC, or null
  kept         for how long, in words, or null

With --sweep it first deletes what has expired, with the statements of the feed,
and what the feed has not purged for ${CHANGE_DAYS} days: nothing is cached for so long. It may run at
any time, also beside the feed.

How long the audit log is kept, wrangler.toml says (AUDIT_DAYS under [vars]). The database
is that of DATABASE_URL, or of a running \`npm run dev\`.`;

/** For how long a table is kept, and when its oldest row is from, through an index. */
const sweptTables = (auditDays: number): Record<SweptTable, [kept: string, oldest: string]> => ({
  changes: ["until purged", "select changed_at from changes order by xid limit 1"],
  process_runs: [`${RUN_DAYS} days`, "select min(requested_at) from process_runs"],
  idempotent_answers: [`${RESPONSE_HOURS} hours`, "select min(created_at) from idempotent_answers"],
  audit_log: [`${auditDays} days`, "select min(created_at) from audit_log"],
  api_key_events: [`${auditDays} days`, "select min(created_at) from api_key_events"],
});

async function showStorage({ sweep, json }: { sweep?: boolean; json?: boolean }): Promise<void> {
  const target = findDatabase();
  const { auditDays } = await readWorkerConfig();
  const tables = await withDatabase(target, async (db) => {
    if (sweep) await sweepAll(db, auditDays);
    return readTables(db, auditDays);
  });
  if (json) return printJson(tables);
  const rows = tables.map(({ table, bytes, rows, is_estimate, since, kept }) => [
    table,
    `${(bytes / 1e6).toFixed(2)} MB`,
    `${is_estimate ? "about " : ""}${rows}`,
    since ?? "–",
    kept ?? "–",
  ]);
  return print(table([["TABLE", "SIZE", "ROWS", "SINCE", "KEPT"], ...rows]));
}

/** Sends the Worker's statements. */
const readerOf = ({ $client }: Database): Reader => ({
  query: async ({ text, bind }, values) => {
    const params = bind(values);
    try {
      return (await $client.query(text, params)).rows as never[];
    } catch (error) {
      throw new DrizzleQueryError(text, params, error as Error);
    }
  },
});

/** Batch by batch, each a transaction of its own. */
async function sweepAll(db: Database, auditDays: number): Promise<void> {
  const { rows } = await db.execute<{ drained: string }>(sql`select memory ->> 'drained' as drained from feed`);
  const expiry = { drained: String(rows[0]?.drained), auditDays };
  for (const name of SWEPT_TABLES) {
    const batches = [() => sweep(readerOf(db), name, expiry)];
    if (name === "changes") batches.push(() => sweepForgotten(db));
    let deleted = 0;
    for (const batch of batches) for (let count = await batch(); count > 0; count = await batch()) deleted += count;
    if (deleted > 0) note(`Deleted ${deleted} rows of ${name}.`);
  }
}

/** Deletes a batch of changes that no feed has purged. */
async function sweepForgotten(db: Database): Promise<number> {
  const { rowCount } = await db.execute(sql`delete from changes where ctid = any(array(
    select ctid from changes where changed_at < now() - ${CHANGE_DAYS} * interval '24 hours' order by xid limit 10000
  ))`);
  return rowCount ?? 0;
}

async function readTables(db: Database, auditDays: number) {
  const swept: Partial<Record<string, [kept: string, oldest: string]>> = sweptTables(auditDays);
  const { rows: all } = await db.execute<{ name: string; bytes: number; estimate: number }>(
    sql`select relname as name, pg_total_relation_size(oid)::float8 as bytes, reltuples::float8 as estimate from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' order by bytes desc, name`,
  );
  const tables = [];
  for (const { name, bytes, estimate } of all) {
    const [kept = null, oldest = "null::timestamptz"] = swept[name] ?? [];
    const { rows } = await db.execute<{ count: number; since: string | null }>(
      sql`select ${isoTimestamp(sql.raw(`(${oldest})`))} as since,
        (select count(*)::int from (select from ${sql.identifier(name)} limit ${COUNTED_ROWS + 1}) as counted) as count`,
    );
    const { count = 0, since = null } = rows[0] ?? {};
    const is_estimate = count > COUNTED_ROWS;
    tables.push({
      table: name,
      bytes,
      rows: is_estimate ? Math.max(count, estimate) : count,
      is_estimate,
      since,
      kept,
    });
  }
  return tables;
}

export default await command(import.meta, () =>
  createProgram("storage")
    .description("Shows what each table takes, since when, and for how long it is kept.")
    .option("--sweep", "first delete what has expired")
    .option("--json", "print a list of objects")
    .addHelpText("after", NOTES)
    .action(showStorage),
);
