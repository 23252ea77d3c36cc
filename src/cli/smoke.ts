// `npm run smoke`: tries a deployment over HTTP(S).
import { context } from "../node/context.ts";
import { usageError } from "../node/errors.ts";
import { parseWorkerUrl } from "../node/loopback.ts";
import { findRunning } from "../node/running.ts";
import { smoke } from "./checks/run.ts";
import { readAccess, readReader } from "./deploy/environment.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { print } from "./support/output.ts";
import { parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface SmokeOptions {
  url?: string;
  readOnly?: boolean;
  wait: number;
}

const NOTES = `
Without --url it tries a running \`npm run dev\`, with a key of the seed.

A cache is expected where wrangler.toml asks for one.
What needs a key uses SMOKE_TOKEN with the process SMOKE_PROCESS of SMOKE_APPLICATION.
With PURGE_SECRET it tests a purge, too. CF_ACCESS_CLIENT_ID and
CF_ACCESS_CLIENT_SECRET, a service token, go only to the URLs of versions and
previews.`;

async function tryDeployment({ url, readOnly, wait }: SmokeOptions): Promise<void> {
  const given = readReader();
  const options = { isReadOnly: readOnly ?? false, waitSeconds: wait };
  if (url === undefined) {
    const running = findRunning();
    if (running === undefined) throw usageError("Nothing to try: give --url, or start `npm run dev`.");
    const { SEED_PROCESSES } = await import("../../drizzle/seed.ts");
    const { url: origin, purgeSecret } = running;
    return smoke({ origin, reader: given ?? SEED_PROCESSES[0], isCached: true, purgeSecret, ...options }, print);
  }
  const origin = parseWorkerUrl(url)?.origin;
  if (origin === undefined) throw usageError("--url is not the URL of a deployment, such as https://api.example.com.");
  const { name, isCached } = await readWorkerConfig();
  const headers = readAccess(name)(origin);
  await smoke({ origin, reader: given, isCached, purgeSecret: context().env.PURGE_SECRET, headers, ...options }, print);
}

export default await command(import.meta, () =>
  createProgram("smoke")
    .description(
      "Tries a deployment: the contract, its errors, its cache, and that no key sees the response of another.",
    )
    .option("--url <url>", "of the deployment (default: a running `npm run dev`)")
    .option("--read-only", "send neither a write, not even one that is only tried, nor a purge")
    .option("--wait <seconds>", "how long to go on trying what fails", parseWholeNumber, 0)
    .addHelpText("after", NOTES)
    .action(tryDeployment),
);
