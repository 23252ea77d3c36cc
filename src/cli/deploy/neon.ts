// Neon's API, as far as a preview's database needs it: https://neon.com/docs/reference/api/branches
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { CommandError, usageError } from "../support/errors.ts";

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
const POLL_MS = 250;
/** For operations, and for other people's that are in the way. */
const PATIENCE_MS = 120_000;
const LOCKED = 423;
/** https://neon.com/docs/guides/branch-expiration: at most 30 days. A push starts it anew. */
const LIFETIME_MS = 14 * 86_400_000;

/** @throws CommandError if the environment does not say which */
export function readNeonProject(): NeonProject {
  const { NEON_API_URL, NEON_API_KEY, NEON_PROJECT_ID, NEON_DATABASE, NEON_ROLE } = process.env;
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

/** Makes a branch with a compute of its own, a copy of the project's default branch, and waits until it is there. */
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

export async function deleteBranch(project: NeonProject, { id }: NeonBranch): Promise<void> {
  const { operations } = await call(project, "DELETE", `/branches/${id}`, deletionAnswer);
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
const errorAnswer = z.object({ message: z.string() });

/** To the second, which is all that is kept. */
const expiry = (): string => new Date(Date.now() + LIFETIME_MS).toISOString().replace(/\.\d+Z$/, "Z");

/** https://neon.com/docs/manage/operations: `failed` is no end, it is tried again. */
async function finish(project: NeonProject, operations: readonly z.infer<typeof operation>[]): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let { id, action, status } of operations) {
    while (status !== "finished" && status !== "skipped") {
      if (status === "cancelled" || Date.now() > deadline) throw new CommandError(`Neon's ${action} is ${status}.`);
      await setTimeout(POLL_MS);
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
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { status, json } = await send(project, method, path, body);
    if (status < 300) {
      const result = answer.safeParse(json);
      if (result.success) return result.data;
      throw new CommandError("Neon's API answered as it never did before.");
    }
    // Something else is under way in this project: the request was not carried out. It asks for patience.
    if (status === LOCKED && Date.now() < deadline) {
      await setTimeout(POLL_MS);
      continue;
    }
    const words = errorAnswer.safeParse(json).data?.message ?? "no reason given";
    throw new CommandError(`Neon's API refused (${status}): ${words}`);
  }
}

async function send({ apiUrl, apiKey, id }: NeonProject, method: string, path: string, body: object | undefined) {
  const headers = { authorization: `Bearer ${apiKey}`, accept: "application/json", "content-type": "application/json" };
  try {
    const response = await fetch(`${apiUrl}/projects/${encodeURIComponent(id)}${path}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const json: unknown = await response.json().catch(() => undefined);
    return { status: response.status, json };
  } catch (error) {
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    throw new CommandError(`Neon's API cannot be reached: ${cause?.code ?? name}.`);
  }
}
