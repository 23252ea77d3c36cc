// Neon's API, as far as a preview's database needs it: https://neon.com/docs/reference/api/branches
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, usageError } from "../../node/errors.ts";
import { contentOf, type RequestOptions, send } from "../../node/http.ts";

const API_URL = "https://console.neon.tech/api/v2";
/** Neon's own names, as a new project has them: a branch has the database and the role of its parent. */
const LOGIN = { database_name: "neondb", role_name: "neondb_owner" };
/** For operations, and for those of others that are in the way. */
const PATIENCE_MS = 120_000;
/** An account has 700 requests a minute: https://neon.com/docs/reference/api/key-concepts (read 2026-11-25) */
const PAUSE_MS = 1_000;
/**
 * The request was not carried out, whatever it was: the project is busy, there were too many, or there is nobody.
 *
 * @see https://api-docs.neon.tech/reference/createprojectbranchrole, General Error (read 2026-11-25)
 */
const NOT_CARRIED_OUT = [423, 429, 503];
/** https://neon.com/docs/guides/branch-expiration (read 2026-11-25): at most 30 days. A push starts it anew. */
const LIFETIME_MS = 7 * 86_400_000;

const branchSchema = z.object({ id: z.string(), name: z.string(), expires_at: z.string().nullish() });
const operation = z.object({ id: z.string(), action: z.string(), status: z.string() });
const operations = z.array(operation).default([]);

export type Branch = z.infer<typeof branchSchema>;

/** The branches that expire, which are those of previews. */
export async function listPreviewBranches(): Promise<Branch[]> {
  return (await listBranches()).filter(({ expires_at }) => expires_at);
}

async function listBranches(): Promise<Branch[]> {
  return (await call("/branches?limit=10000", z.object({ branches: z.array(branchSchema) }))).branches;
}

/**
 * The branch of that name, which a preview may write to.
 *
 * @throws CommandError also if it is one that stays: the project's own, or somebody's
 */
export async function findBranch(name: string): Promise<Branch | undefined> {
  const branch = (await listBranches()).find((candidate) => candidate.name === name);
  if (branch === undefined || branch.expires_at) return branch;
  throw new CommandError(
    `The Neon branch ${name} never expires, so it is not a preview's: give the preview another name.`,
  );
}

/** Makes a branch with a compute of its own, a copy of the project's default branch, and waits until it is there. */
export async function createBranch(name: string): Promise<Branch> {
  const body = { branch: { name, expires_at: expiry() }, endpoints: [{ type: "read_write" }] };
  const made = await call("/branches", z.object({ branch: branchSchema, operations }), { method: "POST", body });
  await finish(made.operations);
  return made.branch;
}

/** Lets it live on from now. */
export async function extendBranch({ id }: Branch): Promise<Branch> {
  const body = { branch: { expires_at: expiry() } };
  return (await call(`/branches/${id}`, z.object({ branch: branchSchema }), { method: "PATCH", body })).branch;
}

/**
 * Where the project keeps deleted branches for seven days, this one is gone at once: it would count against the plan.
 *
 * @see https://neon.com/docs/reference/api/branches/delete-project-branch (read 2026-11-25)
 */
export async function deleteBranch({ id }: Branch): Promise<void> {
  // No body: it was gone already.
  const deleted = z.object({ operations }).default({ operations: [] });
  await finish((await call(`/branches/${id}?hard_delete=true`, deleted, { method: "DELETE" })).operations);
}

/** How to reach a branch: directly, for migrations, which need a session; and through the pooler, for the Worker. */
export async function connectionUris({ id }: Branch): Promise<{ direct: string; pooled: string }> {
  const uri = async (pooled: boolean) => {
    const query = new URLSearchParams({ branch_id: id, ...LOGIN, pooled: String(pooled) });
    return (await call(`/connection_uri?${query}`, z.object({ uri: z.url({ protocol: /^postgres(ql)?$/ }) }))).uri;
  };
  return { direct: await uri(false), pooled: await uri(true) };
}

/** To the second, which is all that is kept. */
const expiry = (): string => new Date(context().now() + LIFETIME_MS).toISOString().replace(/\.\d+Z$/, "Z");

/** https://neon.com/docs/manage/operations (read 2026-11-25): `failed` is no end, it is tried again. */
async function finish(begun: readonly z.infer<typeof operation>[]): Promise<void> {
  const deadline = context().now() + PATIENCE_MS;
  for (let { id, action, status } of begun) {
    while (status !== "finished" && status !== "skipped") {
      const isLate = context().now() > deadline;
      if (status === "cancelled" || isLate) throw new CommandError(`Neon's ${action} is ${status}.`);
      await context().sleep(PAUSE_MS);
      ({ action, status } = (await call(`/operations/${id}`, z.object({ operation }))).operation);
    }
  }
}

/** Asks for something of the project. @throws CommandError with Neon's words; never with a key or a connection string */
async function call<T>(path: string, schema: z.ZodType<T>, options: RequestOptions = {}): Promise<T> {
  const { id, token } = readNeonProject();
  const deadline = context().now() + PATIENCE_MS;
  for (;;) {
    const reply = await send(`${API_URL}/projects/${encodeURIComponent(id)}${path}`, { ...options, token });
    // What changes nothing may be asked again in any case.
    const isRepeatable =
      NOT_CARRIED_OUT.includes(reply.status) || (options.method === undefined && reply.status >= 500);
    const pauseMs = Math.max(PAUSE_MS, (reply.retryAfterSeconds ?? 0) * 1_000);
    if (!isRepeatable || context().now() + pauseMs > deadline) return contentOf(reply, schema);
    await context().sleep(pauseMs);
  }
}

/** @throws CommandError if the environment does not say which project is that of the previews */
export function readNeonProject(): { id: string; token: string } {
  const { NEON_PROJECT_ID: id, NEON_API_KEY: token } = context().env;
  if (!token) throw usageError("NEON_API_KEY is not set.");
  if (!id) throw usageError("NEON_PROJECT_ID is not set.");
  return { id, token };
}
