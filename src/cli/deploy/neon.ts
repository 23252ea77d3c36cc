// Neon's API, as far as a preview's database needs it: https://neon.com/docs/reference/api/branches
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, reasonOf, usageError } from "../../node/errors.ts";

/** A project whose branches are previews' databases. */
export interface NeonProject {
  apiUrl: string;
  apiKey: string;
  id: string;
  /** The database of the parent, and so of every branch. */
  database: string;
  role: string;
}

export interface NeonBranch {
  id: string;
  name: string;
  /** RFC 3339; none for one that stays. */
  expires_at?: string | null | undefined;
}

/** How to reach a branch. */
export interface ConnectionUris {
  /** For what needs a session: migrations. */
  direct: string;
  /** For the Worker. */
  pooled: string;
}

const API_URL = "https://console.neon.tech/api/v2";
const TIMEOUT_MS = 30_000;
/** For operations, and for other people's that are in the way. */
const PATIENCE_MS = 120_000;
/**
 * Doubled from one to the other: every preview that is deployed at a time shares the 700 requests a minute of the account.
 *
 * @see https://neon.com/docs/reference/api/key-concepts (read 2026-11-25)
 */
const PAUSE_MS = { first: 250, longest: 8_000 };
/**
 * The request was not carried out, whatever it was: the project is busy, there were too many, or there is nobody.
 *
 * @see https://api-docs.neon.tech/reference/createprojectbranchrole, General Error (read 2026-11-25)
 */
const NOT_CARRIED_OUT = [423, 429, 503];
/** https://neon.com/docs/guides/branch-expiration (read 2026-11-25): at most 30 days. A push starts it anew. */
const LIFETIME_MS = 7 * 86_400_000;

/** @throws CommandError if the environment does not say which */
export function readNeonProject(): NeonProject {
  const { NEON_API_URL, NEON_API_KEY, NEON_PROJECT_ID, NEON_DATABASE, NEON_ROLE } = context().env;
  if (!NEON_API_KEY) throw usageError("NEON_API_KEY is not set.");
  if (!NEON_PROJECT_ID) throw usageError("NEON_PROJECT_ID is not set.");
  return {
    apiUrl: NEON_API_URL || API_URL,
    apiKey: NEON_API_KEY,
    id: NEON_PROJECT_ID,
    // Neon's own names for them.
    database: NEON_DATABASE || "neondb",
    role: NEON_ROLE || "neondb_owner",
  };
}

/** The project has as many branches as its plan allows. */
export class ProjectFullError extends CommandError {}

/** The branches that expire, which are those of previews. */
export async function listPreviewBranches(project: NeonProject): Promise<NeonBranch[]> {
  const { branches } = await call(project, "GET", "/branches?limit=10000", listAnswer);
  return branches.filter(({ expires_at }) => expires_at);
}

/**
 * The branch of that name, which a preview may write to.
 *
 * @throws CommandError also if it is one that stays: the project's own, or somebody's
 */
export async function findBranch(project: NeonProject, name: string): Promise<NeonBranch | undefined> {
  // The search is for a part of the name.
  const { branches } = await call(
    project,
    "GET",
    `/branches?search=${encodeURIComponent(name)}&limit=10000`,
    listAnswer,
  );
  const branch = branches.find((candidate) => candidate.name === name);
  if (branch !== undefined && !branch.expires_at) {
    throw new CommandError(
      `The Neon branch ${name} never expires, so it is not a preview's: give the preview another name.`,
    );
  }
  return branch;
}

/**
 * Makes a branch with a compute of its own, a copy of the project's default branch, and waits until it is there.
 *
 * @throws ProjectFullError
 */
export async function createBranch(project: NeonProject, name: string): Promise<NeonBranch> {
  const body = { branch: { name, expires_at: expiry() }, endpoints: [{ type: "read_write" }] };
  const { branch, operations } = await call(project, "POST", "/branches", changeAnswer, body);
  await finish(project, operations);
  return branch;
}

/** Lets it live on from now. */
export async function extendBranch(project: NeonProject, { id }: NeonBranch): Promise<NeonBranch> {
  const { branch } = await call(project, "PATCH", `/branches/${id}`, changeAnswer, {
    branch: { expires_at: expiry() },
  });
  return branch;
}

/**
 * Where the project keeps deleted branches for seven days, this one is gone at once: it would count against the plan.
 *
 * @see https://neon.com/docs/reference/api/branches/delete-project-branch (read 2026-11-25)
 */
export async function deleteBranch(project: NeonProject, { id }: NeonBranch): Promise<void> {
  const { operations } = await call(project, "DELETE", `/branches/${id}?hard_delete=true`, deletionAnswer);
  await finish(project, operations);
}

export async function connectionUris(project: NeonProject, { id }: NeonBranch): Promise<ConnectionUris> {
  const uri = async (pooled: boolean) => {
    const query = new URLSearchParams({
      branch_id: id,
      database_name: project.database,
      role_name: project.role,
      pooled: String(pooled),
    });
    return (await call(project, "GET", `/connection_uri?${query}`, uriAnswer)).uri;
  };
  return { direct: await uri(false), pooled: await uri(true) };
}

const branch = z.object({ id: z.string(), name: z.string(), expires_at: z.string().nullish() });
const operation = z.object({ id: z.string(), action: z.string(), status: z.string() });
const listAnswer = z.object({ branches: z.array(branch) });
const operations = z.array(operation).default([]);
const changeAnswer = z.object({ branch, operations });
/** Without a body for what is gone already. */
const deletionAnswer = z.object({ operations }).default({ operations: [] });
const operationAnswer = z.object({ operation });
const uriAnswer = z.object({ uri: z.url({ protocol: /^postgres(ql)?$/ }) });
const errorAnswer = z.object({ message: z.string(), code: z.string().optional() });

/** To the second, which is all that is kept. */
const expiry = (): string => new Date(context().now() + LIFETIME_MS).toISOString().replace(/\.\d+Z$/, "Z");

/** https://neon.com/docs/manage/operations (read 2026-11-25): `failed` is no end, it is tried again. */
async function finish(project: NeonProject, operations: readonly z.infer<typeof operation>[]): Promise<void> {
  const pause = pauses();
  for (let { id, action, status } of operations) {
    while (status !== "finished" && status !== "skipped") {
      if (status === "cancelled" || !(await pause())) throw new CommandError(`Neon's ${action} is ${status}.`);
      ({ action, status } = (await call(project, "GET", `/operations/${id}`, operationAnswer)).operation);
    }
  }
}

/** @throws CommandError with Neon's words; never with a key or a connection string */
async function call<T>(
  project: NeonProject,
  method: string,
  path: string,
  answer: z.ZodType<T>,
  body?: object,
): Promise<T> {
  const pause = pauses();
  for (;;) {
    const { status, json, retryAfterSeconds } = await send(project, method, path, body);
    if (status < 300) {
      const result = answer.safeParse(json);
      if (result.success) return result.data;
      throw new CommandError("Neon's API answered as it never did before.");
    }
    // What changes nothing may be asked again in any case.
    const isRepeatable = NOT_CARRIED_OUT.includes(status) || (method === "GET" && status >= 500);
    if (isRepeatable && (await pause(retryAfterSeconds))) continue;
    const { message = "no reason given", code = "" } = errorAnswer.safeParse(json).data ?? {};
    const words = `Neon's API refused (${status}): ${message}`;
    throw code === "BRANCHES_LIMIT_EXCEEDED" ? new ProjectFullError(words) : new CommandError(words);
  }
}

/** @returns waits, longer each time, and says whether there was patience left to wait */
function pauses(): (leastSeconds?: number) => Promise<boolean> {
  const deadline = context().now() + PATIENCE_MS;
  let pauseMs = PAUSE_MS.first;
  return async (leastSeconds = 0) => {
    const ms = Math.max(pauseMs, leastSeconds * 1_000);
    if (context().now() + ms > deadline) return false;
    await context().sleep(ms);
    pauseMs = Math.min(2 * pauseMs, PAUSE_MS.longest);
    return true;
  };
}

async function send({ apiUrl, apiKey, id }: NeonProject, method: string, path: string, body: object | undefined) {
  const headers = { authorization: `Bearer ${apiKey}`, accept: "application/json", "content-type": "application/json" };
  try {
    const response = await context().fetch(`${apiUrl}/projects/${encodeURIComponent(id)}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const json: unknown = await response.json().catch(() => undefined);
    const retryAfter = /^\d{1,5}$/.exec(response.headers.get("retry-after") ?? "")?.[0] ?? "0";
    return { status: response.status, json, retryAfterSeconds: Number(retryAfter) };
  } catch (error) {
    throw new CommandError(`Neon's API cannot be reached: ${reasonOf(error)}.`);
  }
}
