// Requests to other services. Each has a deadline and follows no redirect, because its secret is for one origin only.
import { context } from "./context.ts";
import { CommandError, orElse, printable, reasonOf } from "./errors.ts";

export interface RequestOptions {
  method?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as a Bearer token. */
  token?: string | undefined;
  /** A string is sent as it is, anything else as JSON. */
  body?: unknown;
  timeoutMs?: number;
}

export interface Reply {
  /** For messages: no query. */
  request: { method: string; origin: string; path: string };
  status: number;
  headers: Headers;
  text: string;
  /** Undefined unless the text is JSON. */
  json: unknown;
  retryAfterSeconds: number | undefined;
}

/** Nobody has responded, or not in time. */
export class UnreachableError extends CommandError {
  readonly reason: string;

  constructor(origin: string, reason: string) {
    super(`${origin} cannot be reached: ${reason}.`);
    this.reason = reason;
  }
}

/** The response has another status than 2xx, or a body that does not match the schema. */
export class RefusedError extends CommandError {
  readonly reply: Reply;

  constructor(reply: Reply) {
    const { method, origin, path } = reply.request;
    const end = ` ${method} ${path} (${reply.status})`;
    // What came with 2xx may be a secret.
    if (isOk(reply)) super(`${origin} responded to${end} with something else than expected.`);
    else super(`${origin} refused${end}${wordsOf(reply)}`);
    this.reply = reply;
  }
}

/** @throws UnreachableError */
export async function send(
  url: string,
  { method = "GET", headers, token, body, timeoutMs = 30_000 }: RequestOptions = {},
): Promise<Reply> {
  const { origin, pathname: path } = URL.parse(url) ?? { origin: "The URL", pathname: "" };
  const isJson = body !== undefined && typeof body !== "string";
  try {
    const response = await context().fetch(url, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(isJson && { "content-type": "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: isJson ? JSON.stringify(body) : String(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    const { status } = response;
    const retryAfter = /^\d{1,5}$/.exec(response.headers.get("retry-after") ?? "")?.[0];
    const retryAfterSeconds = retryAfter === undefined ? undefined : Number(retryAfter);
    const json = orElse(undefined, () => JSON.parse(text));
    return { request: { method, origin, path }, status, headers: response.headers, text, json, retryAfterSeconds };
  } catch (error) {
    throw new UnreachableError(origin, reasonOf(error));
  }
}

/** A schema of Zod, for one: a workflow runs a command where no package is installed. */
interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** The body of a successful response. @throws RefusedError */
export function contentOf<T>(reply: Reply, schema: Schema<T>): T {
  const result = isOk(reply) ? schema.safeParse(reply.json) : undefined;
  if (result?.success) return result.data;
  throw new RefusedError(reply);
}

/** @throws UnreachableError, RefusedError */
export const ask = async <T>(url: string, schema: Schema<T>, options?: RequestOptions): Promise<T> =>
  contentOf(await send(url, options), schema);

const isOk = ({ status }: Reply): boolean => status >= 200 && status < 300;

/** What a refusal says for itself: `message` of the Worker, Neon and GitHub, `errors` of Cloudflare, or its text. */
function wordsOf({ json, text }: Reply): string {
  const { message, errors } = (json ?? {}) as { message?: unknown; errors?: unknown };
  const all = Array.isArray(errors) ? errors.map((one) => `${one?.message} [code: ${one?.code}]`) : [message ?? text];
  const words = printable(all.join(" ").trim()).slice(0, 200);
  return words === "" ? "." : `: ${words}`;
}
