// A deployment as its clients see it: one request at a time, over HTTP(S).
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { context } from "../../node/context.ts";
import { CommandError, printable } from "../../node/errors.ts";
import { type Reply, type RequestOptions, send, UnreachableError } from "../../node/http.ts";

export interface Target {
  /** Scheme, host and port. */
  origin: string;
  /** A process, and a key that may read it. */
  reader?: Reader | undefined;
  /** Whether a cache stands in front of the Api. */
  isCached: boolean;
  /** PURGE_SECRET of the Worker. */
  purgeSecret?: string | undefined;
  /** Whether nothing but reads may be sent. */
  isReadOnly?: boolean;
  /** The id of the version that must respond; undefined: whichever does. */
  version?: string | undefined;
  /** Sent with every request, to be let in or to choose a version. */
  headers?: Record<string, string> | undefined;
  /** How long to ask again while the deployment cannot be reached or does not show what it should yet. */
  waitSeconds: number;
}

export interface Reader {
  token: string;
  applicationId: string;
  processId: string;
}

/** A claim about the deployment does not hold. */
export class Failure extends Error {}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;

/** Tries each second, for so long, what throws a {@link Failure}. @throws the last one */
export async function persist<T>(seconds: number, work: () => Promise<T>): Promise<T> {
  const deadline = context().now() + seconds * 1_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Failure) || context().now() + RETRY_MS > deadline) throw error;
    }
    await context().sleep(RETRY_MS);
  }
}

export async function ask({ origin, headers }: Target, path: string, options: RequestOptions = {}): Promise<Reply> {
  const all = { ...headers, ...options.headers };
  const reply = await send(origin + path, { ...options, headers: all, timeoutMs: TIMEOUT_MS }).catch((error) => {
    throw error instanceof UnreachableError ? new Failure(`no response, ${error.reason}`) : error;
  });
  // To ask again is of no use.
  if (isLoginOfAccess(reply)) throw new CommandError(`${origin} is behind Cloudflare Access: ${ACCESS_ADVICE}`);
  return reply;
}

/** Asks with the reader's key. */
export const read = (target: Target, path: string, options?: RequestOptions): Promise<Reply> =>
  ask(target, path, { ...options, token: readerOf(target).token });

/** @throws Failure if there is none */
export function readerOf({ reader }: Target): Reader {
  if (reader === undefined) throw new Failure("there is no API key given");
  return reader;
}

/** The reader's process, or another of its application. */
export function processPath(target: Target, processId = readerOf(target).processId): string {
  return `/v3/applications/${readerOf(target).applicationId}/processes/${processId}`;
}

const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
const compile = (name: string) =>
  ajv.compile(JSON.parse(readFileSync(new URL(`../../contract/${name}.schema.json`, import.meta.url), "utf8")));
const CONTRACT = { process: compile("process"), error: compile("error") };

/** Holds a body to the contract. @throws Failure */
export function expectContract(name: keyof typeof CONTRACT, { json }: Reply): void {
  const isValid = CONTRACT[name];
  if (!isValid(json)) throw new Failure(`the ${name} breaks the contract: ${ajv.errorsText(isValid.errors)}`);
}

/** @throws Failure unless it is an error of the contract, for this request only */
export function expectError(reply: Reply, status: number): void {
  expectStatus(reply, status);
  expectContract("error", reply);
  const body = reply.json as { status: number; data: { code: string } };
  expectSame(body.status, status, "status");
  expectSame(body.data.code, reply.headers.get("x-request-id"), "data.code");
  expectSame(reply.headers.get("cache-control"), "no-store", "cache-control");
}

export function expectStatus(reply: Reply, expected: number, path?: string): void {
  if (reply.status === expected) return;
  const where = path === undefined ? "" : `${path}: `;
  throw new Failure(`${where}the status is ${reply.status}, not ${expected}${explain(reply)}`);
}

/**
 * What the response says for itself: at the URL of a version there is no log to look it up in.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-urls/#limitations (read 2026-11-25)
 */
function explain({ headers, json }: Reply): string {
  if (!headers.has("x-request-id")) return ", and the response is not from the Worker";
  const { message, data } = (json ?? {}) as { message?: unknown; data?: { code?: unknown } };
  return message === undefined ? "" : `: ${printable(`${message} (data.code ${data?.code})`).slice(0, 250)}`;
}

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Failure(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

export function expectMatch(actual: string | null | undefined, pattern: RegExp, what: string): void {
  if (!pattern.test(actual ?? "")) throw new Failure(`${what} is ${JSON.stringify(actual)}, which is not ${pattern}`);
}

/** https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/ (read 2026-11-25) */
const ACCESS_ADVICE =
  "set CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET to a service token that a policy with the action Service Auth lets in.";

const isLoginOfAccess = ({ headers }: Reply): boolean =>
  URL.parse(headers.get("location") ?? "")?.hostname.endsWith(".cloudflareaccess.com") ?? false;
