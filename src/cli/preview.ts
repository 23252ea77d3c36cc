// `npm run preview`: the deployment of a pull request, with a database of its own.
import { randomBytes } from "node:crypto";
import { appendFileSync } from "node:fs";
import type pg from "pg";
import { SEED_COMPANIES, SEED_PROCESSES, seed } from "../../drizzle/seed.ts";
import { context } from "../node/context.ts";
import { CommandError, usageError } from "../node/errors.ts";
import type { Reader } from "./checks/deployment.ts";
import { readVersion } from "./checks/index.ts";
import { smoke } from "./checks/run.ts";
import { mask, readAccess, readSecrets } from "./deploy/environment.ts";
import { runMigrations } from "./deploy/migrations.ts";
import {
  type Branch,
  connectionUris,
  createBranch,
  deleteBranch,
  extendBranch,
  findBranch,
  readNeonProject,
} from "./deploy/neon.ts";
import { findActiveVersions } from "./deploy/release.ts";
import { deletePreview, sweep } from "./deploy/sweep.ts";
import { readWorkerConfig } from "./deploy/worker-config.ts";
import { asOwner } from "./deploy/worker-role.ts";
import { commitArgs, entryOf, wrangler } from "./deploy/wrangler.ts";
import { note, printJson } from "./support/output.ts";
import { parseWholeNumber } from "./support/parse.ts";
import { command, createProgram } from "./support/program.ts";

interface PreviewOptions {
  name?: string;
  delete?: boolean;
  sweep?: boolean;
  wait: number;
}

const NOTES = `
The database is a branch of the Neon project NEON_PROJECT_ID, reached with the key
NEON_API_KEY; give previews a project of their own, since a branch is a copy of its
parent with all data. It expires a week after the last time that this command ran for
it.

The Worker is deployed with CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID, or as
whoever is logged in (npx wrangler login). Its secrets are the preview's own. The
service token CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET lets the smoke test past
Cloudflare Access.

Prints an object: preview_url is always the latest deployment, deployment_url this one;
expires_at and is_new are of the database.

--sweep prints the names of the previews that it has deleted. It asks gh which pull
requests are open: the preview of number 7 is called pr-7.`;

/** With the Worker's name and a hyphen it must fit into a DNS label of 63 characters. */
const NAME_PATTERN = /^[a-z0-9](?:[a-z0-9-]{0,49}[a-z0-9])?$/;
/** The secrets that a preview never shares, whatever the environment says. */
const OWN_SECRETS = ["DATABASE_URL", "PURGE_SECRET"];

async function preview({ name = "", wait, ...options }: PreviewOptions): Promise<void> {
  readNeonProject();
  if (options.sweep) return printJson(await sweep((await readWorkerConfig()).name));
  if (!NAME_PATTERN.test(name)) {
    throw usageError("Give the preview a --name of a-z, 0-9 and hyphens, 51 at most.");
  }
  await (options.delete ? deletePreview(name) : deployPreview(name, wait));
}

async function deployPreview(name: string, waitSeconds: number): Promise<void> {
  const { name: worker, requiredSecrets, isCached } = await readWorkerConfig();
  const others = readSecrets(requiredSecrets.filter((secret) => !OWN_SECRETS.includes(secret)));
  const access = readAccess(worker);
  // Wrangler would make a Worker of that name, whose settings no release has made.
  if ((await findActiveVersions()).length === 0) {
    throw new CommandError(
      `Release first: there is no Worker ${worker} yet that could have a preview (npm run deploy).`,
    );
  }
  const found = await findBranch(name);
  const branch = found ? await extendBranch(found) : await createBranch(name);
  const uris = await connectionUris(branch);
  // Nobody needs to know the secret for purges: who purges a preview sets one that he knows.
  const secrets = { ...others, DATABASE_URL: uris.pooled, PURGE_SECRET: randomBytes(32).toString("hex") };
  mask([...Object.values(secrets), uris.direct, new URL(uris.direct).password]);
  await prepareDatabase(uris.direct, branch, found === undefined);

  // Without --ignore-base-config, what is left out here would be taken from the dashboard, or from production.
  const args = ["preview", "--name", name, "--ignore-base-config", ...commitArgs()];
  const { preview_urls, deployment_urls } = entryOf(await wrangler(args, { secrets }), "preview") as Record<
    string,
    string[]
  >;
  const [previewUrl, deploymentUrl] = [preview_urls?.[0], deployment_urls?.[0]];
  if (previewUrl === undefined || deploymentUrl === undefined) {
    throw new CommandError("The preview has no URL: wrangler.toml must say preview_urls = true.");
  }
  // Before the smoke test: who sees it fail wants to look.
  const urls = { preview_url: previewUrl, deployment_url: deploymentUrl };
  await printJson({ name, ...urls, expires_at: branch.expires_at, is_new: found === undefined });
  const { GITHUB_OUTPUT } = context().env;
  const summary = `${previewUrl} always shows the latest commit, ${deploymentUrl} this one.`;
  if (GITHUB_OUTPUT) appendFileSync(GITHUB_OUTPUT, `summary=${summary}\n`);
  const targetAt = (origin: string) => ({ origin, reader: READER, isCached, waitSeconds, headers: access(origin) });
  // The URL of the deployment can only be this one, and tells the version that the other must come to.
  await smoke(targetAt(deploymentUrl));
  await smoke({ ...targetAt(previewUrl), version: await readVersion(targetAt(deploymentUrl)) });
}

/** A process that every preview has, and a key that may read it. */
const [READER]: readonly [Reader, ...Reader[]] = SEED_PROCESSES;

/**
 * Brings the database to the newest schema, and seeds it if it is empty.
 *
 * @throws CommandError before anything is changed, if it holds a company that is not the seed's
 */
async function prepareDatabase(connectionString: string, branch: Branch, isNew: boolean): Promise<void> {
  const companies = await asOwner(connectionString, "The preview's database was not looked at", listCompanies);
  if (companies.some((id) => !SEED_COMPANIES.includes(id))) {
    // A copy of somebody's data must not stay where previews are.
    const deletion = isNew ? deleteBranch(branch).then(() => DELETED) : Promise.resolve(START_ANEW);
    const outcome = await deletion.catch(({ message }) => `The branch is NOT deleted: ${message}`);
    throw new CommandError(`${FOREIGN_DATA} ${outcome}`);
  }
  await runMigrations(connectionString, (name) => note(`migrated ${name}`));
  if (companies.length > 0) return;
  await seed(connectionString, { force: true });
  note("seeded");
}

const FOREIGN_DATA =
  "The Neon branch holds companies that are not the seed's. A preview responds to whoever knows the seed's public keys: give previews a Neon project of their own.";
const DELETED = "The branch is deleted.";
const START_ANEW = "If a test has written them, delete the preview (--delete) and make it anew.";

/** The ids of all of them; none also before the first migration. */
async function listCompanies(client: pg.Client): Promise<string[]> {
  const { rows: tables } = await client.query("select to_regclass('public.companies') is not null as exists");
  if (!tables[0].exists) return [];
  const { rows } = await client.query("select id from companies limit 3");
  return rows.map(({ id }) => id);
}

export default await command(import.meta, () =>
  createProgram("preview")
    .description("Deploys this checkout as a preview: its own URL, its own database, its own cache.")
    .option("--name <name>", "of the preview")
    .option("--delete", "delete the preview and its database")
    .option("--sweep", "delete all previews whose pull request is closed or whose database has expired")
    .option("--wait <seconds>", "how long to wait for the URL to answer", parseWholeNumber, 60)
    .addHelpText("after", NOTES)
    .action(preview),
);
