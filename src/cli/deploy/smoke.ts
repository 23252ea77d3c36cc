// The checks that any deployment must pass, over HTTP(S): the contract, its errors, and its headers for caches.
import { randomBytes, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { CommandError } from "../support/errors.ts";
import { note } from "../support/output.ts";

export interface SmokeTarget {
  /** Scheme, host and port. */
  origin: string;
  /** A process, and a key that may read it. Without one, what needs a key is left out. */
  reader?: { token: string; applicationId: string; processId: string } | undefined;
  /** Whether a cache stands in front of the Api. */
  isCached: boolean;
  /** How long to ask again while the deployment cannot be reached or does not show what it should yet. */
  waitSeconds: number;
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

/** A deployment, with the one request that it is asked at a time. */
interface Subject extends SmokeTarget {
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
}

interface Check {
  /** A sentence about the deployment. */
  claim: string;
  needs?: "reader" | "cache";
  /** Throws a {@link Failure} unless the claim is true. */
  holds(subject: Subject): Promise<void>;
}

class Failure extends Error {}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 1_000;

/**
 * Checks one claim after another.
 *
 * @param report is told what became of each, a line at a time; on stderr by default
 * @throws CommandError that says how many failed
 */
export async function smoke(target: SmokeTarget, report: (line: string) => unknown = note): Promise<void> {
  const deadline = Date.now() + target.waitSeconds * 1_000;
  const subject: Subject = { ...target, get: (path, headers) => request(target.origin, path, headers) };
  let failed = 0;
  await report(target.origin);
  for (const { claim, needs, holds } of CHECKS) {
    if (!isPossible(target, needs)) {
      await report(`  skipped  ${claim} (no ${needs === "reader" ? "key to read with" : "cache expected"})`);
      continue;
    }
    const reason = await reasonAgainst(() => holds(subject), deadline);
    await report(reason === undefined ? `  passed   ${claim}` : `  FAILED   ${claim}: ${reason}`);
    if (reason !== undefined) failed++;
  }
  if (failed > 0) throw new CommandError(`${target.origin} failed ${failed} of ${CHECKS.length} checks.`);
}

const isPossible = ({ reader, isCached }: SmokeTarget, needs: Check["needs"]): boolean =>
  needs === undefined || (reader !== undefined && (needs === "reader" || isCached));

/** A new name has to spread, and a new version too: what fails is tried again until the deadline. */
async function reasonAgainst(holds: () => Promise<void>, deadline: number): Promise<string | undefined> {
  for (;;) {
    try {
      await holds();
      return undefined;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (Date.now() + RETRY_MS > deadline) return error.message;
    }
    await setTimeout(RETRY_MS);
  }
}

async function request(origin: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    // A key is for this origin alone.
    const response = await fetch(origin + path, { headers, redirect: "manual", signal });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    const { name, cause } = error as { name: string; cause?: { code?: string } };
    throw new Failure(`no answer, ${cause?.code ?? name}`);
  }
}

const CHECKS: readonly Check[] = [
  {
    claim: "is up",
    async holds({ get }) {
      const answer = await get("/health");
      expectStatus(answer, 200);
      expect(parse(answer).status, "ok", "status");
      expectHeader(answer, "cache-control", "no-store");
    },
  },
  {
    claim: "describes itself",
    async holds({ get }) {
      const answer = await get("/v3/openapi.json");
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
    async holds({ get }) {
      const answer = await get("/docs");
      expectStatus(answer, 200);
      expectMatch(answer.headers.get("content-type"), /^text\/html\b/, "content-type");
      expectMatch(answer.headers.get("content-security-policy"), /^default-src 'none';/, "content-security-policy");
    },
  },
  {
    claim: "refuses who has no key",
    async holds({ get }) {
      const answer = await get(processPath(randomUUID(), randomUUID()));
      expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /^Bearer realm="[^"]+"$/, "www-authenticate");
    },
  },
  {
    // Only the database knows that nobody has it: this is the check that it answers.
    claim: "refuses a key that nobody has",
    async holds({ get }) {
      const answer = await get(
        processPath(randomUUID(), randomUUID()),
        bearer(`svl_${randomBytes(32).toString("hex")}`),
      );
      expectError(answer, 401);
      expectMatch(answer.headers.get("www-authenticate"), /error="invalid_token"/, "www-authenticate");
    },
  },
  {
    claim: "knows no endpoint that does not exist",
    async holds({ get }) {
      expectError(await get("/v3/no-such-endpoint"), 404);
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
    async holds({ get, reader }) {
      if (reader === undefined) return;
      expectError(await get(processPath(reader.applicationId, randomUUID()), bearer(reader.token)), 404);
    },
  },
  {
    claim: "answers from the cache",
    needs: "cache",
    async holds(subject) {
      await readProcess(subject);
      expectMatch((await readProcess(subject)).headers.get("cache-status"), /^process-api; hit/, "cache-status");
    },
  },
];

const processPath = (applicationId: string, processId: string): string =>
  `/v3/applications/${applicationId}/processes/${processId}`;
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

async function readProcess({ get, reader }: Subject, headers = {}, status = 200): Promise<Answer> {
  if (reader === undefined) throw new Failure("there is no key to read with");
  const path = processPath(reader.applicationId, reader.processId);
  const answer = await get(path, { ...bearer(reader.token), ...headers });
  expectStatus(answer, status);
  return answer;
}

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

const expectStatus = ({ status }: Answer, expected: number): void => expect(status, expected, "the status");
const expectHeader = ({ headers }: Answer, name: string, expected: string): void =>
  expect(headers.get(name), expected, name);

function expect(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Failure(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

function expectMatch(actual: string | null | undefined, pattern: RegExp, what: string): void {
  if (!pattern.test(actual ?? "")) throw new Failure(`${what} is ${JSON.stringify(actual)}, which is not ${pattern}`);
}
