// `POST /ops/purge` of the Worker, as src/worker/gateway/purge.ts answers it.
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, usageError } from "../../node/errors.ts";
import { contentOf, RefusedError, send } from "../../node/http.ts";
import { parseWorkerUrl } from "../../node/loopback.ts";
import { findRunning } from "../../node/running.ts";
import { PURGES } from "../../worker/shared/limits.ts";

/** A Worker whose cache one may purge. */
export interface Worker {
  /** Scheme, host and port. */
  origin: string;
  /** PURGE_SECRET of the Worker. */
  secret: string;
  /** Sent with every request. */
  headers?: Record<string, string> | undefined;
}

export const KINDS = ["companies", "applications", "processes", "keys", "resource_types"] as const;
/** Ids of what has changed, by kind: the body of a purge. */
export type Changed = Partial<Record<(typeof KINDS)[number], readonly string[]>>;

export interface PurgeFailure {
  message: string;
  /** After which the Worker wants to be asked again; undefined if asking again is of no use. */
  retryAfterSeconds: number | undefined;
  /** `Error-Reason` of the response. */
  reason: string | undefined;
}

interface PurgeOptions {
  /** The most to wait in all for a Worker that refuses for a while. */
  waitSeconds?: number;
  /** Told before every wait. */
  onWait?(seconds: number, failure: PurgeFailure): void;
}

const TIMEOUT_MS = 10_000;
const purgedBody = z.object({ purged: z.array(z.string()) });

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
export function workerAt(text: string, option: string): Worker {
  const url = parseWorkerUrl(text);
  if (url === undefined) throw usageError(`${option} is not the Worker's origin, such as https://api.example.com.`);
  const { origin } = url;
  if (url.href !== `${origin}/`) throw usageError(`${option} must be an origin alone: ${origin}`);
  const running = runningWorker();
  const secret = context().env.PURGE_SECRET || (origin === running?.origin ? running.secret : undefined);
  if (secret === undefined) throw usageError(`${option} needs the Worker's secret in the environment: PURGE_SECRET.`);
  if (!/^[\x21-\x7e]+$/.test(secret)) throw usageError("PURGE_SECRET cannot be sent in a header.");
  return { origin, secret };
}

/**
 * Purges all that depends on what has changed, in calls one after the other; stops at the first that fails for longer than it
 * may wait.
 *
 * @returns the tags that were purged, the ids that were not (none if all were), and why not
 */
export async function purgeAll(
  worker: Worker,
  changed: Changed,
  { waitSeconds = 0, onWait }: PurgeOptions = {},
): Promise<{ purged: string[]; left: Changed; error?: PurgeFailure }> {
  const rest = KINDS.flatMap((kind) => [...new Set(changed[kind])].map((id) => ({ kind, id })));
  // An id is a tag, and machine sizes bring that of the list of them all.
  const idsPerCall = PURGES.maxTagsPerCall - (changed.resource_types?.length ? 1 : 0);
  const purged: string[] = [];
  let patienceSeconds = waitSeconds;
  while (rest.length > 0) {
    try {
      purged.push(...(await purge(worker, byKind(rest.slice(0, idsPerCall)))));
      rest.splice(0, idsPerCall);
    } catch (thrown) {
      const failure = failureFrom(thrown);
      // At least a second, or a response of 0 would be asked for without end.
      const seconds = Math.max(1, failure.retryAfterSeconds ?? Number.POSITIVE_INFINITY);
      if (seconds > patienceSeconds) return { purged, left: byKind(rest), error: failure };
      patienceSeconds -= seconds;
      onWait?.(seconds, failure);
      await context().sleep(seconds * 1_000);
    }
  }
  return { purged, left: {} };
}

function byKind(all: readonly { kind: keyof Changed; id: string }[]): Changed {
  const groups = Object.entries(Object.groupBy(all, ({ kind }) => kind));
  return Object.fromEntries(groups.map(([kind, some]) => [kind, some.map(({ id }) => id)]));
}

/** @param changed ids that cost 100 tags at most */
async function purge({ origin, secret, headers }: Worker, changed: Changed): Promise<string[]> {
  const request = { method: "POST", token: secret, headers, body: changed, timeoutMs: TIMEOUT_MS };
  const reply = await send(`${origin}/ops/purge`, request);
  if (reply.status === 401) throw new CommandError(`${origin} does not take this PURGE_SECRET.`);
  return contentOf(reply, purgedBody).purged;
}

function failureFrom(error: unknown): PurgeFailure {
  if (!(error instanceof CommandError)) throw error;
  const { retryAfterSeconds, headers } = error instanceof RefusedError ? error.reply : {};
  return { message: error.message, retryAfterSeconds, reason: headers?.get("error-reason") ?? undefined };
}
