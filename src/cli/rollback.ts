// `npm run rollback`: gives a version of before the traffic again, if it still works.
import { z } from "zod";
import { context } from "../node/context.ts";
import { CommandError, EXIT_CODE } from "../node/errors.ts";
import { askCloudflare } from "./deploy/cloudflare.ts";
import { readAccess, readOwnerUrl, readReader } from "./deploy/environment.ts";
import { BY_HAND, purgeEverything } from "./deploy/feed.ts";
import { findVersionBefore, forceBack } from "./deploy/release.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { note } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
Without a version: the last that had all of the traffic before, and was not itself
taken back.

A version brings back the secrets and the settings of its time. So it is tried at its
own URL first, and has no traffic if it fails: src/cli/README.md, Rollbacks.

Of the environment: MIGRATION_DATABASE_URL (to purge), SMOKE_TOKEN, SMOKE_APPLICATION,
SMOKE_PROCESS, CF_ACCESS_CLIENT_ID, CF_ACCESS_CLIENT_SECRET, CLOUDFLARE_API_TOKEN and
CLOUDFLARE_ACCOUNT_ID, as for npm run deploy.`;

const workerSchema = z.object({ subdomain: z.object({ preview_url_suffix: z.string() }) });

async function rollBack(given: string | undefined, { wait: waitSeconds }: { wait: number }): Promise<void> {
  const ownerUrl = context().env.MIGRATION_DATABASE_URL ? readOwnerUrl() : undefined;
  const reader = readReader();
  const config = await readWorkerConfig();
  const access = readAccess(config.name);
  const id = given ?? (await findVersionBefore());
  const { subdomain } = await askCloudflare(`/workers/workers/${config.name}`, workerSchema);
  const url = `https://${id.slice(0, 8)}${subdomain.preview_url_suffix}`;
  await forceBack({ id, url }, { config, reader, access, waitSeconds });
  note(`Version ${id} has the traffic.`);
  if (!config.hasFeed) {
    note("No feed runs, so nothing is purged: what this version had cached may be served for up to an hour.");
  } else if (ownerUrl === undefined) {
    throw new CommandError(`MIGRATION_DATABASE_URL is not set. ${BY_HAND}`, EXIT_CODE.notPurged);
  } else await purgeEverything(ownerUrl);
}

export default await command(import.meta, () =>
  createProgram("rollback")
    .description("Gives a version of before all of the traffic again, if it still works.")
    .argument("[version]", "its id, as `npx wrangler versions list` shows it", parseId)
    .option("--wait <seconds>", "how long to wait for its URL to answer as it should", parseWholeNumber, 60)
    .addHelpText("after", NOTES)
    .action(rollBack),
);
