// `POST /ops/purge` of the Worker, as src/worker/gateway/purge.ts answers it.
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, usageError } from "../../node/errors.ts";
import { contentOf, send } from "../../node/http.ts";
import { parseWorkerUrl } from "../../node/loopback.ts";
import { findRunning } from "../../node/running.ts";

/** A Worker whose cache one may purge. */
export interface Worker {
  /** Scheme, host and port. */
  origin: string;
  /** PURGE_SECRET of the Worker. */
  secret: string;
  /** Sent with every request. */
  headers?: Record<string, string> | undefined;
}

/** Ids of what has changed, by kind: the body of a purge. */
export type Changed = Partial<
  Record<"companies" | "applications" | "processes" | "keys" | "resource_types", readonly string[]>
>;

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
 * @throws CommandError; a RefusedError may be worth another try
 */
export async function purge({ origin, secret, headers }: Worker, changed: Changed): Promise<string[]> {
  const request = { method: "POST", token: secret, headers, body: changed, timeoutMs: TIMEOUT_MS };
  const reply = await send(`${origin}/ops/purge`, request);
  if (reply.status === 401) throw new CommandError(`${origin} does not take this PURGE_SECRET.`);
  return contentOf(reply, purgedBody).purged;
}

function readOrigin(text: string, option: string): string {
  const url = parseWorkerUrl(text);
  if (url === undefined) throw usageError(`${option} is not the Worker's origin, such as https://api.example.com.`);
  if (url.href !== `${url.origin}/`) throw usageError(`${option} must be an origin alone: ${url.origin}`);
  return url.origin;
}
