// The checks that any deployment must pass, over HTTP(S): the contract, its errors, and its headers for caches.
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { context } from "../support/context.ts";
import { CommandError, reasonOf } from "../support/errors.ts";
import { note, printable } from "../support/output.ts";

export interface SmokeTarget {
  /** Scheme, host and port. */
  origin: string;
  /** A process, and a key that may read it. Without one, what needs a key is left out. */
  reader?: { token: string; applicationId: string; processId: string } | undefined;
  /** Whether a cache stands in front of the Api. */
  isCached: boolean;
  /** The id of the version that must answer; undefined: whichever does. */
  version?: string | undefined;
  /** Sent with every request, to be let in or to choose a version. */
  headers?: Record<string, string> | undefined;
  /** How long to ask again while the deployment cannot be reached or does not show what it should yet. */
  waitSeconds: number;
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

interface Question {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** A deployment, with the one request that it is asked at a time. */
interface Subject extends SmokeTarget {
  ask(path: string, question?: Question): Promise<Answer>;
  /** The version that answered last, as far as it was asked. */
  answeredBy?: string | undefined;
}

interface Check {
  /** A sentence about the deployment. */
  claim: string;
  needs?: "reader" | "cache" | "version";
  /** Throws a {@link Failure} unless the claim is true. */
  holds(subject: Subject): Promise<void>;
}

class Failure extends Error {}

/** What a check needs is not there, as only the deployment knows. */
class Skipped extends Error {}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;
/** So many answers in a row must come from the new version: the data centres do not change at the same moment. */
const AGREEMENTS = 3;

/**
 * Checks one claim after another.
 *
 * @param report is told what became of each, a line at a time; on stderr by default
 * @returns the version that answered, if it says so
 * @throws CommandError that says how many failed, or that Cloudflare Access lets nobody in
 */
export async function smoke(
  target: SmokeTarget,
  report: (line: string) => unknown = note,
): Promise<string | undefined> {
  const deadline = context().now() + target.waitSeconds * 1_000;
  const subject: Subject = { ...target, ask: (path, question) => request(target, path, question) };
  const checks = CHECKS.filter(({ needs }) => needs !== "version" || target.version !== undefined);
  let failed = 0;
  await report(target.origin);
  for (const { claim, needs, holds } of checks) {
    if (!isPossible(target, needs)) {
      await report(`  skipped  ${claim} (no ${needs === "reader" ? "key to read with" : "cache expected"})`);
      continue;
    }
    const reason = await reasonAgainst(() => holds(subject), deadline);
    if (reason instanceof Skipped) await report(`  skipped  ${claim} (${reason.message})`);
    else await report(reason === undefined ? `  passed   ${claim}` : `  FAILED   ${claim}: ${reason.message}`);
    if (reason instanceof Failure) failed++;
  }
  if (failed > 0) throw new CommandError(`${target.origin} failed ${failed} of ${checks.length} checks.`);
  return subject.answeredBy;
}

const isPossible = ({ reader, isCached }: SmokeTarget, needs: Check["needs"]): boolean =>
  needs === undefined || needs === "version" || (reader !== undefined && (needs === "reader" || isCached));

/** A new name has to spread, and a new version too: what fails is tried again until the deadline. */
async function reasonAgainst(holds: () => Promise<void>, deadline: number): Promise<Failure | Skipped | undefined> {
  for (;;) {
    try {
      await holds();
      return undefined;
    } catch (error) {
      if (error instanceof Skipped) return error;
      if (!(error instanceof Failure)) throw error;
      if (context().now() + RETRY_MS > deadline) return error;
    }
    await context().sleep(RETRY_MS);
  }
}

async function request(target: SmokeTarget, path: string, question: Question = {}): Promise<Answer> {
  const headers = { ...target.headers, ...question.headers };
  let answer: Answer;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    // A key is for this origin alone.
    const response = await context().fetch(target.origin + path, { ...question, headers, redirect: "manual", signal });
    answer = { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    throw new Failure(`no answer, ${reasonOf(error)}`);
  }
  // To ask again is of no use.
  if (isLoginOfAccess(answer)) throw new CommandError(`${target.origin} is behind Cloudflare Access: ${ACCESS_ADVICE}`);
  return answer;
}

/** https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/ (read 2026-11-25) */
const ACCESS_ADVICE =
  "set CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET to a service token that a policy with the action Service Auth lets in.";

function isLoginOfAccess({ headers }: Answer): boolean {
  const location = headers.get("location") ?? "";
  return URL.canParse(location) && new URL(location).hostname.endsWith(".cloudflareaccess.com");
}

async function expectHealthy(subject: Subject): Promise<void> {
  const answer = await subject.ask("/health");
  expectStatus(answer, 200);
  const { status, version } = parse(answer) as { status?: string; version?: string };
  subject.answeredBy = version;
  expect(status, "ok", "status");
  expectHeader(answer, "cache-control", "no-store");
}

async function expectVersion(subject: Subject): Promise<void> {
  await expectHealthy(subject);
  expect(subject.answeredBy, subject.version, "the version");
}

const CHECKS: readonly Check[] = [
  {
    claim: "is up",
    holds: expectHealthy,
  },
  {
    claim: "is the version that was deployed, and no other",
    needs: "version",
    async holds(subject) {
      for (let answers = 0; answers < AGREEMENTS; answers++) {
        if (answers > 0 && subject.waitSeconds > 0) await context().sleep(RETRY_MS);
        await expectVersion(subject);
      }
    },
  },
  {
    claim: "describes itself",
    async holds({ ask }) {
      const answer = await ask("/v3/openapi.json");
      expectStatus(answer, 200);
      const { openapi, info, paths } = parse(answer) as {
        openapi?: string;
        info?: { version?: string };
        paths?: object;
      };
      expectMatch(openapi, /^3\.1\./, "openapi");
      expectMatch(info?.version, /^\d+\.\d+\.\d+/, "info.version");
      if (!paths || Object.keys(paths).length === 0) throw new Failure("it has no paths");
    },
  },
  {
    claim: "shows its documentation",
    async holds({ ask }) {
      const answer = await ask("/docs");
      expectStatus(answer, 200);
      expectMatch(answer.headers.get("content-type"), /^text\/html\b/, "content-type");
      expectMatch(answer.headers.get("content-security-policy"), /^default-src 'none';/, "content-security-policy");
    },
  },
  {
    claim: "refuses who has no key",
    async holds({ ask }) {
      const answer = await ask(processPath(randomUUID(), randomUUID()));
      expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /^Bearer realm="[^"]+"$/, "www-authenticate");
    },
  },
  {
    // Only the database knows that nobody has it: this is the check that it answers.
    claim: "refuses a key that nobody has",
    async holds({ ask }) {
      const answer = await ask(processPath(randomUUID(), randomUUID()), {
        headers: bearer(`svl_${randomBytes(32).toString("hex")}`),
      });
      expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /error="invalid_token"/, "www-authenticate");
    },
  },
  {
    claim: "knows no endpoint that does not exist",
    async holds({ ask }) {
      expectError(await ask("/v3/no-such-endpoint"), 404);
    },
  },
  {
    claim: "answers with the full details of a process",
    needs: "reader",
    async holds(subject) {
      const answer = await readProcess(subject);
      const valid = isProcess(parse(answer));
      if (!valid) throw new Failure(`it breaks the contract: ${ajv.errorsText(isProcess.errors)}`);
      expect(parse(answer).id, subject.reader?.processId, "id");
    },
  },
  {
    claim: "lets clients keep an answer, but makes them ask",
    needs: "reader",
    async holds(subject) {
      const answer = await readProcess(subject);
      expectHeader(answer, "cache-control", "private, no-cache");
      expectHeader(answer, "vary", "Authorization");
      expectMatch(answer.headers.get("etag"), /^"[^"]+"$/, "etag");
    },
  },
  {
    claim: "says that nothing has changed",
    needs: "reader",
    async holds(subject) {
      const etag = String((await readProcess(subject)).headers.get("etag"));
      const answer = await readProcess(subject, { "if-none-match": etag }, 304);
      expectHeader(answer, "etag", etag);
    },
  },
  {
    claim: "knows no process that does not exist",
    needs: "reader",
    async holds({ ask, reader }) {
      if (reader === undefined) return;
      expectError(await ask(processPath(reader.applicationId, randomUUID()), { headers: bearer(reader.token) }), 404);
    },
  },
  {
    claim: "answers from the cache",
    needs: "cache",
    async holds(subject) {
      await readProcess(subject);
      expectMatch((await readProcess(subject)).headers.get("cache-status"), HIT, "cache-status");
    },
  },
  {
    claim: "takes a write that is only tried",
    needs: "reader",
    async holds(subject) {
      const before = await readProcess(subject, FROM_DATABASE);
      const tried = await tryWrite(subject);
      expect(tried.headers.get("etag"), before.headers.get("etag"), "its etag");
    },
  },
  {
    // Or else an older one may have passed some of the above.
    claim: "is still that version",
    needs: "version",
    holds: expectVersion,
  },
];

const processPath = (applicationId: string, processId: string): string =>
  `/v3/applications/${applicationId}/processes/${processId}`;
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function readProcess({ ask, reader }: Subject, headers = {}, status = 200): Promise<Answer> {
  if (reader === undefined) throw new Failure("there is no key to read with");
  const path = processPath(reader.applicationId, reader.processId);
  const answer = await ask(path, { headers: { ...bearer(reader.token), ...headers } });
  expectStatus(answer, status);
  return answer;
}

const FROM_DATABASE = { "cache-control": "no-cache" };

/** Has the deployment change nothing of the process, and not even that for good. */
async function tryWrite({ ask, reader }: Subject): Promise<Answer> {
  if (reader === undefined) throw new Failure("there is no key to write with");
  const answer = await ask(`${processPath(reader.applicationId, reader.processId)}?dry_run=true`, {
    method: "PATCH",
    headers: { ...bearer(reader.token), "content-type": "application/json" },
    body: "{}",
  });
  if (answer.status === 403) throw new Skipped("the key may not write");
  expectStatus(answer, 200);
  return answer;
}

/**
 * Reads a path with the reader's key.
 *
 * @returns whether the answer was a copy of the cache
 * @throws CommandError if there is no answer of 200
 */
export async function isCopied(target: SmokeTarget, path: string): Promise<boolean> {
  try {
    const answer = await request(target, path, { headers: bearer(target.reader?.token ?? "") });
    expectStatus(answer, 200);
    return HIT.test(answer.headers.get("cache-status") ?? "");
  } catch (error) {
    throw error instanceof Failure ? new CommandError(`${target.origin}${path}: ${error.message}.`) : error;
  }
}

const HIT = /^process-api; hit/;
const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
const compile = (name: string) =>
  ajv.compile(JSON.parse(readFileSync(new URL(`../../contract/${name}.schema.json`, import.meta.url), "utf8")));
const isProcess = compile("process");
const isError = compile("error");

/** An error of the contract, for this request alone. */
function expectError(answer: Answer, status: number): void {
  expectStatus(answer, status);
  const body = parse(answer) as { status?: number; data?: { code?: string } };
  if (!isError(body)) throw new Failure(`the error breaks the contract: ${ajv.errorsText(isError.errors)}`);
  expect(body.status, status, "status");
  expect(body.data?.code, answer.headers.get("x-request-id"), "data.code");
  expectHeader(answer, "cache-control", "no-store");
}

function parse({ text }: Answer): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("the body is not JSON");
  }
}

function expectStatus(answer: Answer, expected: number): void {
  if (answer.status === expected) return;
  throw new Failure(`the status is ${answer.status}, not ${expected}${explain(answer)}`);
}

/**
 * What the answer says for itself: at the URL of a version there is no log to look it up in.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-urls/#limitations (read 2026-11-25)
 */
function explain({ headers, text }: Answer): string {
  if (!headers.has("x-request-id")) return ", and it is not the Worker that answers";
  try {
    const { message, data } = JSON.parse(text);
    return `: ${printable(String(message)).slice(0, 200)} (data.code ${printable(String(data?.code)).slice(0, 40)})`;
  } catch {
    return "";
  }
}

const expectHeader = ({ headers }: Answer, name: string, expected: string): void =>
  expect(headers.get(name), expected, name);

function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Failure(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

function expectMatch(actual: string | null | undefined, pattern: RegExp, what: string): void {
  if (!pattern.test(actual ?? "")) throw new Failure(`${what} is ${JSON.stringify(actual)}, which is not ${pattern}`);
}
