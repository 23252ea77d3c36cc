// `POST /ops/purge` of the Worker, as src/worker/gateway/purge.ts answers it.
import { z } from "zod";
import { context } from "./context.ts";
import { reasonOf, usageError } from "./errors.ts";
import { parseWorkerUrl } from "./loopback.ts";
import { printable } from "./output.ts";
import { findRunning } from "./running.ts";

/** A Worker whose cache one may purge. */
export interface Worker {
  /** Scheme, host and port. */
  origin: string;
  /** PURGE_SECRET of the Worker. */
  secret: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
}

/** Ids of what has changed, by kind: the body of a purge. */
export type Changed = Partial<
  Record<"companies" | "applications" | "processes" | "keys" | "resource_types", readonly string[]>
>;

/** Nothing was purged, or nobody knows. */
export class PurgeError extends Error {
  override readonly name = "PurgeError";
  /** After which the Worker wants to be asked again; undefined if asking again is of no use. */
  readonly retryAfterSeconds: number | undefined;
  /** `Error-Reason` of the response. */
  readonly reason: string | undefined;

  constructor(message: string, reason?: string, retryAfterSeconds?: number) {
    super(message);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

const TIMEOUT_MS = 10_000;

const purgedBody = z.object({ purged: z.array(z.string()) });
const errorBody = z.object({ message: z.string() });

/** @returns that of `npm run dev`, if it runs */
export function runningWorker(): Worker | undefined {
  const running = findRunning();
  return running && { origin: running.url, secret: running.purgeSecret };
}

/**
 * The Worker at an origin that an operator gave, with the secret from the environment.
 *
 * @param option that named it, for messages
 * @throws CommandError if that is no origin, or there is no secret for it
 */
export function workerAt(url: string, option: string): Worker {
  const origin = readOrigin(url, option);
  const running = runningWorker();
  const secret = context().env.PURGE_SECRET || (origin === running?.origin ? running.secret : undefined);
  if (secret === undefined) throw usageError(`${option} needs the Worker's secret in the environment: PURGE_SECRET.`);
  if (!/^[\x21-\x7e]+$/.test(secret)) throw usageError("PURGE_SECRET cannot be sent in a header.");
  return { origin, secret };
}

/**
 * Ends the reuse of all that depends on what has changed.
 *
 * @param changed ids that cost 100 tags at most
 * @returns the tags that were purged
 * @throws PurgeError
 */
export async function purge(worker: Worker, changed: Changed): Promise<string[]> {
  const { status, headers, body } = await post(worker, changed);
  if (status === 200) {
    const result = purgedBody.safeParse(body);
    if (result.success) return result.data.purged;
    throw new PurgeError(`${worker.origin} answered as no process-api does.`);
  }
  if (status === 401) throw new PurgeError(`${worker.origin} does not take this PURGE_SECRET.`);
  const { data } = errorBody.safeParse(body);
  // The message may come from a server that is none of ours.
  const words = data === undefined ? "" : ` ${printable(data.message).slice(0, 200)}`;
  const retryAfter = /^\d{1,5}$/.exec(headers.get("retry-after") ?? "")?.[0];
  throw new PurgeError(
    `${worker.origin} answered ${status}.${words}`,
    headers.get("error-reason") ?? undefined,
    retryAfter === undefined ? undefined : Number(retryAfter),
  );
}

async function post({ origin, secret, headers }: Worker, changed: Changed) {
  try {
    const response = await context().fetch(`${origin}/ops/purge`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${secret}`, "content-type": "application/json" },
      body: JSON.stringify(changed),
      // The secret is for this origin alone.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body: unknown = await response.json().catch(() => undefined);
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    throw new PurgeError(`${origin} cannot be reached: ${reasonOf(error)}.`);
  }
}

function readOrigin(text: string, option: string): string {
  const url = parseWorkerUrl(text);
  if (url === undefined) throw usageError(`${option} is not the Worker's origin, such as https://api.example.com.`);
  if (url.href !== `${url.origin}/`) throw usageError(`${option} must be an origin alone: ${url.origin}`);
  return url.origin;
}
