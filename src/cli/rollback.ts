// `npm run rollback`: gives a version of before the traffic again, if it still works.
import { z } from "zod";
import { context } from "../node/context.ts";
import { readAccessToken } from "./deploy/access.ts";
import { askCloudflare } from "./deploy/cloudflare.ts";
import { readDatabaseUrl } from "./deploy/database-url.ts";
import { purgeEverything } from "./deploy/feed.ts";
import { readReader } from "./deploy/reader.ts";
import { assertWorks, type Deployable, findVersionBefore, forceBack } from "./deploy/release.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { note } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
Without a version: the last that had all of the traffic before, and was not itself
taken back.

A version brings back the secrets and the settings of its time, and the database
stays as it is. So it is tried at its own URL first, and has no traffic if it fails.
What it had cached is purged, twice: no purge may have reached that since. Cloudflare
goes back to the last 100 versions.

Of the environment: MIGRATION_DATABASE_URL (to purge), SMOKE_TOKEN, SMOKE_APPLICATION,
SMOKE_PROCESS, CF_ACCESS_CLIENT_ID, CF_ACCESS_CLIENT_SECRET, CLOUDFLARE_API_TOKEN and
CLOUDFLARE_ACCOUNT_ID, as for npm run deploy.

Exit codes: 0 it has the traffic; 1 it has not; 2 the command or the environment is
wrong; 3 it has the traffic, but nothing was purged.`;

const workerAnswer = z.object({ subdomain: z.object({ preview_url_suffix: z.string() }) });

async function rollBack(given: string | undefined, { wait: waitSeconds }: { wait: number }): Promise<void> {
  const migrationUrl = context().env.MIGRATION_DATABASE_URL ? readDatabaseUrl("MIGRATION_DATABASE_URL") : undefined;
  const reader = readReader({});
  const access = readAccessToken();
  const { name: worker, isCached, hasFeed } = await readWorkerConfig();
  const deployable: Deployable = { worker, reader, isCached, access, waitSeconds };
  const id = given ?? (await findVersionBefore());
  const { subdomain } = await askCloudflare("GET", `/workers/workers/${worker}`, workerAnswer);
  const version = { id, url: `https://${id.slice(0, 8)}${subdomain.preview_url_suffix}` };
  await assertWorks(version, deployable);
  await forceBack(version);
  note(`Version ${id} has the traffic.`);
  if (hasFeed) await purgeEverything(migrationUrl);
  else note("No feed runs, so nothing is purged: what this version had cached may be served for up to an hour.");
}

export default await command(import.meta, () =>
  createProgram("rollback")
    .usage("[options] [version]     (npm run rollback -- …)")
    .description("Gives a version of before all of the traffic again, if it still works.")
    .argument("[version]", "its id, as `npx wrangler versions list` shows it", parseId)
    .option("--wait <seconds>", "how long to wait for its URL to answer as it should", parseWholeNumber, 60)
    .addHelpText("after", NOTES)
    .action(rollBack),
);
