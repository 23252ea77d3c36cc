// `npm run smoke`: tries a deployment over HTTP(S).

import { context } from "../node/context.ts";
import { usageError } from "../node/errors.ts";
import { parseWorkerUrl } from "../node/loopback.ts";
import { findRunning } from "../node/running.ts";
import type { Target } from "./checks/deployment.ts";
import { smoke } from "./checks/run.ts";
import { isVersionUrl, readAccessToken } from "./deploy/access.ts";
import { readReader } from "./deploy/reader.ts";
import { print } from "./support/output.ts";
import { parseId, parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface SmokeOptions {
  url?: string;
  token?: string;
  application?: string;
  process?: string;
  expectCache?: boolean;
  readOnly?: boolean;
  wait: number;
}

const NOTES = `
Without --url it tries a running \`npm run dev\`, with a key of the seed.

What needs a key uses --token with the process of --application and --process, or
SMOKE_TOKEN, SMOKE_APPLICATION and SMOKE_PROCESS, which no other user of the
machine can read. With PURGE_SECRET it tests a purge, too. CF_ACCESS_CLIENT_ID and
CF_ACCESS_CLIENT_SECRET, a service token, go only to the URLs of versions and
previews.

Exit codes: 0 all passed; 1 something failed; 2 the command or the environment is
wrong.`;

async function targetOf(options: SmokeOptions): Promise<Target> {
  const { token, application, process: processId, wait: waitSeconds, readOnly: isReadOnly = false } = options;
  const given = readReader({ token, application, process: processId });
  if (options.url === undefined) {
    const running = findRunning();
    if (running === undefined) throw usageError("Nothing to try: give --url, or start `npm run dev`.");
    const { SEED_PROCESSES } = await import("../../drizzle/seed.ts");
    const [seeded] = SEED_PROCESSES;
    const { url: origin, purgeSecret } = running;
    return { origin, reader: given ?? seeded, isCached: true, purgeSecret, isReadOnly, waitSeconds };
  }
  const origin = readOrigin(options.url);
  const isCached = options.expectCache ?? false;
  const purgeSecret = context().env.PURGE_SECRET;
  const headers = await accessTo(origin);
  return { origin, reader: given, isCached, purgeSecret, isReadOnly, waitSeconds, headers };
}

/** Only where there is a token, because it takes a second to find out the Worker's name. */
async function accessTo(origin: string): Promise<Record<string, string>> {
  const access = readAccessToken();
  if (Object.keys(access).length === 0) return {};
  const { readWorkerConfig } = await import("./deploy/worker-config.ts");
  return isVersionUrl(origin, (await readWorkerConfig()).name) ? access : {};
}

function readOrigin(text: string): string {
  const url = parseWorkerUrl(text);
  if (url === undefined) throw usageError("--url is not the URL of a deployment, such as https://api.example.com.");
  return url.origin;
}

export default await command(import.meta, () =>
  createProgram("smoke")
    .usage("--url <url> [options]     (npm run smoke -- …)")
    .description(
      "Tries a deployment: the contract, its errors, its cache, and that no key sees the response of another.",
    )
    .option("--url <url>", "of the deployment (default: a running `npm run dev`)")
    .option("--token <key>", "an API key")
    .option("--application <id>", "an application that the key may read", parseId)
    .option("--process <id>", "a process of it", parseId)
    .option("--expect-cache", "the second answer must come from the cache")
    .option("--read-only", "send neither a write, not even one that is only tried, nor a purge")
    .option("--wait <seconds>", "how long to go on trying what fails", parseWholeNumber, 0)
    .addHelpText("after", NOTES)
    .action(async (options: SmokeOptions) => {
      await smoke(await targetOf(options), print);
    }),
);
