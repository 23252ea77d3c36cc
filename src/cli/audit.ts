// `npm run audit`: who has written what through the API, for operators.
import { and, asc, desc, eq, inArray } from "drizzle-orm";
import { type Database, findDatabase, withDatabase } from "../node/database.ts";
import { printable, usageError } from "../node/errors.ts";
import { isoTimestamp } from "../worker/db/expressions.ts";
import { apiKeys } from "../worker/resources/api-key/table.ts";
import { auditLog } from "../worker/statements/table.ts";
import { note, print, printJson } from "./support/output.ts";
import { parseCount, parseId } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface AuditOptions {
  process?: string;
  application?: string;
  key?: string;
  request?: string;
  limit: number;
  json?: boolean;
}

const NOTES = `
Prints the latest effects, the oldest of them first: when, what, by which key and
request, and each field that differs. With --json a list of objects:
  at             ISO 8601 in UTC
  operation      create, update, delete or trigger
  api_key        { id, name }; the name is null once the key is deleted
  request_id     as in x-request-id and in the log
  company_id, application_id
  process_id     the id of what was written
  before, after  what a GET of it reads, null where there is none; of an update, the
                 fields that differ (all fields in entries of older versions); after a
                 trigger, the run

Changes by SQL are not in it. The database is that of DATABASE_URL, or of a
running \`npm run dev\`.`;

/** What one write has done. */
type Entry = Awaited<ReturnType<typeof selectEntries>>[number];

async function audit(options: AuditOptions): Promise<void> {
  const { process, application, key, request } = options;
  if ((process ?? application ?? key ?? request) === undefined) {
    throw usageError("Say of what: --process, --application, --key or --request.");
  }
  const entries = await withDatabase(findDatabase(), async (db) => selectEntries(db, options));
  if (entries.length === options.limit)
    note(`These are the latest ${options.limit}. There may be older ones: add --limit.`);
  if (options.json) return printJson(entries);
  return entries.length === 0 ? note("Nothing was written.") : print(entries.map(formatEntry).join("\n\n"));
}

/** The latest entries, the oldest of them first: the query. */
export function selectEntries(db: Database, { process, application, key, request, limit }: AuditOptions) {
  const conditions = and(
    process ? eq(auditLog.processId, process) : undefined,
    application ? eq(auditLog.applicationId, application) : undefined,
    key ? eq(auditLog.apiKeyId, key) : undefined,
    request ? eq(auditLog.requestId, request) : undefined,
  );
  const latest = db
    .select({ id: auditLog.id })
    .from(auditLog)
    .where(conditions)
    .orderBy(desc(auditLog.id))
    .limit(limit);
  return db
    .select({
      at: isoTimestamp(auditLog.createdAt),
      operation: auditLog.operation,
      api_key: { id: auditLog.apiKeyId, name: apiKeys.name },
      request_id: auditLog.requestId,
      company_id: auditLog.companyId,
      application_id: auditLog.applicationId,
      process_id: auditLog.processId,
      before: auditLog.before,
      after: auditLog.after,
    })
    .from(auditLog)
    .leftJoin(apiKeys, eq(apiKeys.id, auditLog.apiKeyId))
    .where(inArray(auditLog.id, latest))
    .orderBy(asc(auditLog.id));
}

function formatEntry({ at, operation, process_id, api_key, request_id, before, after }: Entry): string {
  const valueIn = (state: unknown, field: string) =>
    JSON.stringify((state as Record<string, unknown> | null)?.[field] ?? null);
  const fields = Object.keys(after ?? before ?? {}).filter((field) => valueIn(before, field) !== valueIn(after, field));
  return [
    `${at}  ${operation} ${process_id}`,
    `  key      ${api_key.id} (${api_key.name ?? "deleted"})`,
    `  request  ${request_id ?? "unknown"}`,
    ...fields.sort().map((field) => `  ${field}: ${valueIn(before, field)} → ${valueIn(after, field)}`),
  ]
    .map(printable)
    .join("\n");
}

export default await command(import.meta, () =>
  createProgram("audit")
    .description("Shows who has written what through the API.")
    .option("--process <id>", "of this process", parseId)
    .option("--application <id>", "of the processes of this application", parseId)
    .option("--key <id>", "by this API key", parseId)
    .option("--request <id>", "by this request", parseId)
    .option("--limit <number>", "print at most this many", parseCount, 50)
    .option("--json", "print a list of objects")
    .addHelpText("after", NOTES)
    .action(audit),
);
