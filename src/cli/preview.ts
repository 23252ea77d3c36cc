// `npm run preview`: a branch's own deployment, with a database of its own.
import { randomBytes } from "node:crypto";
import { CommandError, usageError } from "../node/errors.ts";
import { smoke } from "./checks/run.ts";
import { isVersionUrl, readAccessToken } from "./deploy/access.ts";
import { commitArgs, currentBranch } from "./deploy/commit.ts";
import { assertKnowsRepository, mask, setOutput } from "./deploy/github.ts";
import * as neon from "./deploy/neon.ts";
import { findActiveVersions } from "./deploy/release.ts";
import { readSecrets } from "./deploy/secrets.ts";
import { deleteDatabase, deletePreview, makeRoom, sweep } from "./deploy/sweep.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { entryOf, wrangler } from "./deploy/wrangler.ts";
import { printJson } from "./support/output.ts";
import { parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface PreviewOptions {
  name?: string;
  delete?: boolean;
  sweep?: boolean;
  fresh?: boolean;
  wait: number;
}

const NOTES = `
The database is a branch of the Neon project NEON_PROJECT_ID, reached with the key
NEON_API_KEY; give previews a project of their own, since a branch is a copy of its
parent with all data. NEON_DATABASE and NEON_ROLE, if they are not Neon's own names.
It expires a week after the last time that this command ran for it.

The Worker is deployed with CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID, or as
whoever is logged in (npx wrangler login). Its secrets are the preview's own. The
service token CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET lets the smoke test past
Cloudflare Access.

Prints an object:
  name            of the preview and of the Neon branch
  preview_url     always the latest deployment
  deployment_url  this deployment, one of the latest 100 of the preview
  expires_at      of the database
  is_new          whether the database was made just now

--sweep prints the names of the previews that it has deleted. It asks GITHUB_REPOSITORY
with GITHUB_TOKEN which pull requests are open: the preview of number 7 is called pr-7.
With these in the environment, room is made for a new preview the same way.

Exit codes: 0 it runs and passed the smoke test; 1 it does not; 2 the command or the
environment is wrong.`;

const START_ANEW = "If a test has written them: npm run preview -- --fresh gives this preview a new database.";
/** With the Worker's name and a hyphen it must fit into a DNS label of 63 characters. */
const NAME_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,49}[a-z0-9])?$/;
/** The secrets that a preview never shares, whatever the environment says. */
const OWN_SECRETS = ["DATABASE_URL", "PURGE_SECRET"];

async function previewBranch(options: PreviewOptions): Promise<void> {
  if (options.sweep) return sweepPreviews();
  const name = readName(options.name);
  const project = neon.readNeonProject();
  if (options.delete) await deletePreview(project, name);
  else await deployPreview(project, name, options);
}

async function sweepPreviews(): Promise<void> {
  assertKnowsRepository();
  const project = neon.readNeonProject();
  await printJson(await sweep(project, (await readWorkerConfig()).name));
}

async function deployPreview(project: neon.NeonProject, name: string, { fresh, wait }: PreviewOptions): Promise<void> {
  const { name: worker, requiredSecrets, isCached } = await readWorkerConfig();
  const others = readSecrets(requiredSecrets.filter((secret) => !OWN_SECRETS.includes(secret)));
  const access = readAccessToken();
  // Wrangler would make a Worker of that name, whose settings no release has made.
  if ((await findActiveVersions()).length === 0) {
    throw new CommandError(
      `Release first: there is no Worker ${worker} yet that could have a preview (npm run deploy).`,
    );
  }
  if (fresh) await deleteDatabase(project, name);
  const found = await neon.findBranch(project, name);
  const branch = found ? await neon.extendBranch(project, found) : await createBranch(project, name);
  const uris = await neon.connectionUris(project, branch);
  // Nobody needs to know the secret for purges: who purges a preview sets one that he knows.
  const secrets = { ...others, DATABASE_URL: uris.pooled, PURGE_SECRET: randomBytes(32).toString("hex") };
  mask([...Object.values(secrets), uris.direct, new URL(uris.direct).password]);

  // Drizzle takes a while to load: what is refused or deleted does not wait for it.
  const { ForeignDataError, PREVIEW_READER, prepareDatabase } = await import("./deploy/preview-data.ts");
  try {
    await prepareDatabase(uris.direct);
  } catch (error) {
    if (!(error instanceof ForeignDataError)) throw error;
    if (found !== undefined) throw new CommandError(`${error.message} ${START_ANEW}`);
    // A copy of somebody's data must not stay where previews are.
    const outcome = await neon.deleteBranch(project, branch).then(
      () => "The branch is deleted.",
      ({ message }) => `The branch is NOT deleted: ${message}`,
    );
    throw new CommandError(`${error.message} ${outcome}`);
  }
  // Without --ignore-base-config, what is left out here would be taken from the dashboard, or from production.
  const args = ["preview", "--name", name, "--ignore-base-config", ...commitArgs()];
  const { preview_urls, deployment_urls } = entryOf(await wrangler(args, { secrets }), "preview");
  const origin = firstOf(preview_urls);
  if (origin === undefined)
    throw new CommandError("The preview has no URL: wrangler.toml must say preview_urls = true.");
  const result = {
    name,
    preview_url: origin,
    deployment_url: firstOf(deployment_urls) ?? null,
    expires_at: branch.expires_at ?? null,
    is_new: found === undefined,
  };
  // Before the smoke test: who sees it fail wants to look.
  await printJson(result);
  setOutput("result", result);
  const target = (url: string) => {
    const headers = isVersionUrl(url, worker) ? access : {};
    return { origin: url, reader: PREVIEW_READER, isCached, waitSeconds: wait, headers };
  };
  // The URL of the deployment can only be this one, and tells the version that the other must come to.
  const version = result.deployment_url === null ? undefined : await smoke(target(result.deployment_url));
  await smoke({ ...target(origin), version });
}

/** Once more when there is room. */
async function createBranch(project: neon.NeonProject, name: string): Promise<neon.NeonBranch> {
  try {
    return await neon.createBranch(project, name);
  } catch (error) {
    if (!(error instanceof neon.ProjectFullError)) throw error;
    await makeRoom(project);
    return neon.createBranch(project, name);
  }
}

function readName(given: string | undefined): string {
  const name =
    given ??
    currentBranch()
      ?.toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-");
  if (name === undefined) throw usageError("No branch is checked out: give the preview a --name.");
  if (NAME_PATTERN.test(name)) return name;
  throw usageError(
    `${JSON.stringify(name)} is no name for a preview: give it a --name of a-z, 0-9 and hyphens, 51 at most.`,
  );
}

function firstOf(urls: unknown): string | undefined {
  return Array.isArray(urls) && typeof urls[0] === "string" ? urls[0] : undefined;
}

export default await command(import.meta, () =>
  createProgram("preview")
    .usage("[options]     (npm run preview -- …)")
    .description("Deploys this checkout as a preview: its own URL, its own database, its own cache.")
    .option("--name <name>", "of the preview (default: the current branch's)")
    .option("--delete", "delete the preview and its database")
    .option("--sweep", "delete all previews whose pull request is closed or whose database has expired")
    .option("--fresh", "with a new database, whatever the old one holds")
    .option("--wait <seconds>", "how long to wait for the URL to answer", parseWholeNumber, 60)
    .addHelpText("after", NOTES)
    .action(previewBranch),
);
