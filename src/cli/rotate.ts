// `npm run rotate`: gives the Worker another role in Postgres, with a password of its own. src/cli/README.md has the
// rotation of all secrets.

import { context } from "../node/context.ts";
import { usageError } from "../node/errors.ts";
import { assertDirect, assertSameDatabase, readDatabaseUrl } from "./deploy/database-url.ts";
import { mask } from "./deploy/github.ts";
import {
  asOwner,
  countConnections,
  endRole,
  findRoles,
  isWorkerRole,
  otherRole,
  renewPassword,
  type WorkerRole,
} from "./deploy/worker-role.ts";
import { confirm } from "./support/confirm.ts";
import { note, print } from "./support/output.ts";
import { command, createProgram } from "./support/program.ts";

interface RotateOptions {
  end?: boolean;
  yes?: boolean;
}

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
  npm run rotate -- --end     with the new DATABASE_URL, after the release

Exit codes: 0 done; 1 not done; 2 the command or the environment is wrong.`;

async function rotate({ end, yes }: RotateOptions): Promise<void> {
  const ownerUrl = readDatabaseUrl("MIGRATION_DATABASE_URL");
  assertDirect(ownerUrl, "MIGRATION_DATABASE_URL");
  const workerUrl = context().env.DATABASE_URL ? readDatabaseUrl("DATABASE_URL") : undefined;
  if (workerUrl !== undefined) assertSameDatabase(ownerUrl, workerUrl);
  const user = workerUrl && decodeURIComponent(new URL(workerUrl).username);
  const current = user !== undefined && isWorkerRole(user) ? user : undefined;
  if (end) await endOther(ownerUrl, current);
  else await renewOther(ownerUrl, workerUrl, current, yes);
}

async function renewOther(
  ownerUrl: string,
  workerUrl: string | undefined,
  current: WorkerRole | undefined,
  isConfirmed: boolean | undefined,
): Promise<void> {
  const { role, password } = await asOwner(ownerUrl, "Not rotated", async (client) => {
    const [known] = await findRoles(client);
    if (workerUrl === undefined && known !== undefined) {
      throw usageError("DATABASE_URL is not set: it says which of the roles the Worker uses.");
    }
    const next = current === undefined ? "worker_1" : otherRole(current);
    const connections = await countConnections(client, next);
    if (connections > 0) {
      note(`${next} has ${connections} connections, so the Worker seems to use it: was the last rotation released?`);
      await confirm(isConfirmed, async () => "Lock it out?");
    }
    return { role: next, password: await renewPassword(client, next) };
  });
  mask([password]);
  const url = new URL(workerUrl ?? pooled(ownerUrl));
  const direct = new URL(ownerUrl);
  for (const one of [url, direct]) Object.assign(one, { username: role, password });
  await asOwner(direct.href, `${role} is there, but does not work`, (client) =>
    client.query("select from processes limit 1"),
  );
  note(`${role} has a new password. Its DATABASE_URL, this once:`);
  await print(url.href);
}

async function endOther(ownerUrl: string, current: WorkerRole | undefined): Promise<void> {
  if (current === undefined)
    throw usageError("DATABASE_URL names neither worker_1 nor worker_2: there is nothing to end.");
  const role = otherRole(current);
  const areOut = await asOwner(ownerUrl, "Not ended", async (client) => {
    if (!(await findRoles(client)).includes(role)) return undefined;
    return endRole(client, role);
  });
  if (areOut === undefined) return note(`There is no ${role}.`);
  note(
    `${role} lets nobody in any more.${areOut ? "" : " Connections that it has stay until the pooler closes them."}`,
  );
}

/** https://neon.com/docs/connect/connection-pooling (read 2026-11-25); the host of another server is left as it is. */
function pooled(direct: string): string {
  const url = new URL(direct);
  if (url.hostname.endsWith(".neon.tech")) url.hostname = url.hostname.replace(".", "-pooler.");
  return url.href;
}

export default await command(import.meta, () =>
  createProgram("rotate")
    .usage("[options]     (npm run rotate)")
    .description("Gives the Worker another role in Postgres, with a password of its own.")
    .option("--end", "end the role that DATABASE_URL does not name")
    .option("--yes", "also if it has connections")
    .addHelpText("after", NOTES)
    .action(rotate),
);
