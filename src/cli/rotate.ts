// `npm run rotate`: gives the Worker another role in Postgres, with a password of its own. src/cli/README.md has the
// rotation of all secrets.
import { context } from "../node/context.ts";
import { usageError } from "../node/errors.ts";
import { mask, readOwnerUrl, readWorkerUrl } from "./deploy/environment.ts";
import {
  asOwner,
  endRole,
  findRoles,
  otherRole,
  renewPassword,
  roleOf,
  type WorkerRole,
} from "./deploy/worker-role.ts";
import { note, print } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

const NOTES = `
There are two roles, worker_1 and worker_2, that may do what the Worker does and no
more. The command gives the one that DATABASE_URL does not name a new password, makes
it if there is none, and prints its DATABASE_URL. The Worker goes on with the other
until it is released with this one.

Of the environment:
  MIGRATION_DATABASE_URL  the database, directly, as the role that owns the schema
  DATABASE_URL            the Worker's, as it was released last; none the first time

Examples:
  npm run -s rotate | gh secret set DATABASE_URL --env production
  npm run rotate -- --end     with the new DATABASE_URL, after the release`;

async function rotateRole({ end: isEnd }: { end?: boolean }): Promise<void> {
  const ownerUrl = readOwnerUrl();
  const workerUrl = context().env.DATABASE_URL ? readWorkerUrl(ownerUrl) : undefined;
  const current = workerUrl && roleOf(workerUrl);
  if (!isEnd) return renew(current ? otherRole(current) : "worker_1", ownerUrl, workerUrl);
  if (!current) throw usageError("DATABASE_URL names neither worker_1 nor worker_2: there is nothing to end.");
  const role = otherRole(current);
  const areOut = await asOwner(ownerUrl, "Not ended", (client) => endRole(client, role));
  const left = areOut ? "" : " Connections that it has stay until the pooler closes them.";
  note(`${role} lets nobody in any more.${left}`);
}

async function renew(role: WorkerRole, ownerUrl: string, workerUrl: string | undefined): Promise<void> {
  const password = await asOwner(ownerUrl, "Not rotated", async (client) => {
    if (workerUrl === undefined && (await findRoles(client)).length > 0) {
      throw usageError("DATABASE_URL is not set: it says which of the roles the Worker uses.");
    }
    return renewPassword(client, role);
  });
  mask([password]);
  const login = { username: role, password };
  const url = Object.assign(new URL(workerUrl ?? pooled(ownerUrl)), login);
  const direct = Object.assign(new URL(ownerUrl), login);
  const sample = "select from processes limit 1";
  await asOwner(direct.href, `${role} is there, but does not work`, (client) => client.query(sample));
  note(`${role} has a new password. Its DATABASE_URL, this once:`);
  await print(url.href);
}

/** https://neon.com/docs/connect/connection-pooling (read 2026-11-25); the host of another server is left as it is. */
function pooled(direct: string): string {
  const url = new URL(direct);
  if (url.hostname.endsWith(".neon.tech")) url.hostname = url.hostname.replace(".", "-pooler.");
  return url.href;
}

export default await command(import.meta, () =>
  createProgram("rotate")
    .description("Gives the Worker another role in Postgres, with a password of its own.")
    .option("--end", "end the role that DATABASE_URL does not name")
    .addHelpText("after", NOTES)
    .action(rotateRole),
);
