// `npm run deploy`: the production release, in the one order that can be taken back.
import { commitArgs } from "./deploy/commit.ts";
import { assertDirect, isSameDatabase, readDatabaseUrl } from "./deploy/database-url.ts";
import { mask } from "./deploy/github.ts";
import { readReader } from "./deploy/reader.ts";
import { deployFirst, deployNext, findActiveVersion, type Release } from "./deploy/release.ts";
import { readSecrets } from "./deploy/secrets.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { usageError } from "./support/errors.ts";
import { note } from "./support/output.ts";
import { parseWholeNumber } from "./support/parse.ts";
import { createProgram, run } from "./support/program.ts";

const NOTES = `
1. Migrates. The version that has the traffic must work with the new schema, too.
2. Uploads a version that has no traffic yet, and tries it at its own URL.
3. Gives it all traffic, and tries it at the production URL.
4. Where that fails, gives the traffic back to the version before.

Of the environment:
  MIGRATION_DATABASE_URL  the database, directly, as the role that owns the schema
  DATABASE_URL            the same database for the Worker, through the pooler
  PURGE_SECRET            and every other secret that wrangler.toml requires
  PRODUCTION_URL          where clients find it (default: its workers.dev URL)
  SMOKE_TOKEN, SMOKE_APPLICATION, SMOKE_PROCESS
                          a key and a process to try it with; without, less is tried
  CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID
                          or whoever is logged in (npx wrangler login)

Exit codes: 0 it has the traffic and passed the smoke tests; 1 the version before
has it still or again, as the last line says; 2 the command or the environment is
wrong.`;

async function deployProduction({ wait: waitSeconds }: { wait: number }): Promise<void> {
  const migrationUrl = readDatabaseUrl("MIGRATION_DATABASE_URL");
  const databaseUrl = readDatabaseUrl("DATABASE_URL");
  assertDirect(migrationUrl, "MIGRATION_DATABASE_URL");
  if (!isSameDatabase(migrationUrl, databaseUrl)) {
    throw usageError("MIGRATION_DATABASE_URL and DATABASE_URL lead to two databases.");
  }
  const reader = readReader({});
  const productionUrl = readProductionUrl();
  const { requiredSecrets, isCached } = await readWorkerConfig();
  const secrets = readSecrets(requiredSecrets);
  mask([migrationUrl, new URL(migrationUrl).password, ...Object.values(secrets), new URL(databaseUrl).password]);
  const release: Release = { secrets, commit: commitArgs(), reader, productionUrl, isCached, waitSeconds };

  // Before the migration: what stands in the way of the rest must not be found after it.
  const active = await findActiveVersion();
  const { runMigrations } = await import("./deploy/migrations.ts");
  for (const migration of await runMigrations(migrationUrl)) note(`migrated ${migration}`);
  await (active === undefined ? deployFirst(release) : deployNext(release, active));
}

function readProductionUrl(): string | undefined {
  const text = process.env.PRODUCTION_URL;
  if (!text) return undefined;
  if (!URL.canParse(text) || new URL(text).protocol !== "https:")
    throw usageError("PRODUCTION_URL is no https:// URL.");
  return new URL(text).origin;
}

const program = createProgram("deploy")
  .usage("[options]     (npm run deploy)")
  .description("Migrates and deploys to production, trying it before and after it has traffic.")
  .option("--wait <seconds>", "how long to wait for a URL to answer as it should", parseWholeNumber, 60)
  .addHelpText("after", NOTES)
  .action(deployProduction);

await run(program);
