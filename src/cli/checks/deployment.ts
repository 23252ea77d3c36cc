// A deployment as its clients see it: one request at a time, over HTTP(S), and what its own document says of each response.
import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { context } from "../../node/context.ts";
import { CommandError, printable, reasonOf } from "../../node/errors.ts";

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

export interface Answer {
  method: string;
  path: string;
  status: number;
  headers: Headers;
  text: string;
}

export interface Question {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** A claim about the deployment does not hold. */
export class Failure extends Error {}

interface Schema {
  $ref?: string;
}

interface ResponseObject {
  $ref?: string;
  content?: { "application/json"?: { schema: Schema } };
}

interface Operation {
  responses: Record<string, ResponseObject>;
}

export interface Document {
  openapi?: string;
  info?: { version?: string };
  servers?: { url: string }[];
  paths?: Record<string, Record<string, Operation>>;
  components?: { responses?: Record<string, ResponseObject> };
}

const TIMEOUT_MS = 10_000;
const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
const compile = (name: string) =>
  ajv.compile(JSON.parse(readFileSync(new URL(`../../contract/${name}.schema.json`, import.meta.url), "utf8")));
const isProcess = compile("process");
const isError = compile("error");

export class Deployment {
  readonly target: Target;
  /** The version that responded last, as far as it was asked. */
  answeredBy?: string | undefined;
  #document: Promise<Document> | undefined;

  constructor(target: Target) {
    this.target = target;
  }

  /** The reader. @throws Failure if there is none */
  get reader(): Reader {
    if (this.target.reader === undefined) throw new Failure("there is no API key given");
    return this.target.reader;
  }

  /** Of the reader's process, or another of its application. */
  processPath(processId: string = this.reader.processId): string {
    return `/v3/applications/${this.reader.applicationId}/processes/${processId}`;
  }

  async ask(path: string, question: Question = {}): Promise<Answer> {
    const { origin, headers: always } = this.target;
    const { method = "GET" } = question;
    const headers = { ...always, ...question.headers };
    let answer: Answer;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      // A key is for this origin only.
      const response = await context().fetch(origin + path, { ...question, headers, redirect: "manual", signal });
      answer = { method, path, status: response.status, headers: response.headers, text: await response.text() };
    } catch (error) {
      throw new Failure(`no response, ${reasonOf(error)}`);
    }
    // To ask again is of no use.
    if (isLoginOfAccess(answer)) throw new CommandError(`${origin} is behind Cloudflare Access: ${ACCESS_ADVICE}`);
    return answer;
  }

  /** Asks with the reader's key. */
  read(path: string, { headers, ...question }: Question = {}): Promise<Answer> {
    return this.ask(path, { ...question, headers: { ...bearer(this.reader.token), ...headers } });
  }

  /** What the deployment says of itself; asked for until it says so. @throws Failure */
  async document(): Promise<Document> {
    this.#document ??= this.ask("/v3/openapi.full.json").then((answer) => {
      expectStatus(answer, 200);
      return parse(answer) as Document;
    });
    try {
      return await this.#document;
    } catch (error) {
      this.#document = undefined;
      throw error;
    }
  }

  /** Holds a response to a status, and its body to what the document says of that. @throws Failure */
  async expect(answer: Answer, status: number): Promise<void> {
    expectStatus(answer, status);
    const response = responseOf(await this.document(), answer);
    const schema = response?.content?.["application/json"]?.schema;
    if (schema === undefined || answer.text === "") return;
    await this.#hold(answer, schema);
  }

  /** @throws Failure unless it is an error of the contract, for this request only */
  async expectError(answer: Answer, status: number): Promise<void> {
    await this.expect(answer, status);
    const body = parse(answer) as { status?: number; data?: { code?: string } };
    holdTo(isError, body, "the error breaks the contract");
    expectSame(body.status, status, "status");
    expectSame(body.data?.code, answer.headers.get("x-request-id"), "data.code");
    expectSame(answer.headers.get("cache-control"), "no-store", "cache-control");
  }

  async #hold(answer: Answer, schema: Schema): Promise<void> {
    const { components } = await this.document();
    holdTo(ajv.compile({ ...schema, components }), parse(answer), "it does not match the document");
  }
}

/** What the document says of a response; undefined of one to something else than its operations. */
function responseOf(document: Document, { method, path, status }: Answer): ResponseObject | undefined {
  const [pathname = ""] = path.split("?");
  const template = Object.keys(document.paths ?? {}).find((one) => {
    const pattern = `^${document.servers?.[0]?.url ?? ""}${one.replaceAll(/\{\w+\}/g, "[^/]+")}$`;
    return new RegExp(pattern).test(pathname);
  });
  const operation = document.paths?.[template ?? ""]?.[(method === "HEAD" ? "GET" : method).toLowerCase()];
  if (operation === undefined) return undefined;
  const response = operation.responses[status];
  if (response === undefined) throw new Failure(`the document does not describe a response of ${status}`);
  return response.$ref === undefined ? response : document.components?.responses?.[nameOf(response.$ref)];
}

const nameOf = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

function holdTo(validate: ValidateFunction, value: unknown, what: string): void {
  if (!validate(value)) throw new Failure(`${what}: ${ajv.errorsText(validate.errors)}`);
}

/** The contract, which is older than the document. @throws Failure */
export const expectProcess = (body: unknown): void => holdTo(isProcess, body, "it breaks the contract");

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

export function parse({ text }: Answer): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure("the body is not JSON");
  }
}

export function expectStatus(answer: Answer, expected: number): void {
  if (answer.status === expected) return;
  throw new Failure(`the status is ${answer.status}, not ${expected}${explain(answer)}`);
}

/**
 * What the response says for itself: at the URL of a version there is no log to look it up in.
 *
 * @see https://developers.cloudflare.com/workers/versions-and-deployments/version-urls/#limitations (read 2026-11-25)
 */
function explain({ headers, text }: Answer): string {
  if (!headers.has("x-request-id")) return ", and the response is not from the Worker";
  try {
    const { message, data, status } = JSON.parse(text);
    const hint = status === 503 ? `; ${DATABASE_ADVICE}` : "";
    return `: ${printable(String(message)).slice(0, 200)} (data.code ${printable(String(data?.code)).slice(0, 40)})${hint}`;
  } catch {
    return "";
  }
}

const DATABASE_ADVICE =
  "check that the database accepts the Worker: the password in DATABASE_URL, the project's quota and allowed addresses, and whether the endpoint is enabled";

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Failure(`${what} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

export function expectMatch(actual: string | null | undefined, pattern: RegExp, what: string): void {
  if (!pattern.test(actual ?? "")) throw new Failure(`${what} is ${JSON.stringify(actual)}, which is not ${pattern}`);
}

/** https://developers.cloudflare.com/cloudflare-one/access-controls/service-credentials/service-tokens/ (read 2026-11-25) */
const ACCESS_ADVICE =
  "set CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET to a service token that a policy with the action Service Auth lets in.";

function isLoginOfAccess({ headers }: Answer): boolean {
  const location = headers.get("location") ?? "";
  return URL.canParse(location) && new URL(location).hostname.endsWith(".cloudflareaccess.com");
}
