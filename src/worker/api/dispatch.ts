// Finds the operation that the gateway names, and has it carried out. With all that this needs, Drizzle and Neon's driver among it, it
// is loaded by the first miss of an isolate: one that only answers hits starts without.
import { operations } from "#openapi";
import { type Database, openDatabase } from "../db/client.ts";
import { UsageRecorder } from "../resources/api-key/usage.ts";
import { type Config, readConfig } from "../shared/config.ts";
import { HttpError, outcomeOf } from "../shared/errors.ts";
import { CONDITIONS_HEADER, KEY_HASH_HEADER, OPERATION_HEADER, QUERY_HEADER } from "../shared/internal-headers.ts";
import { logOncePerMinute } from "../shared/log.ts";
import type { Operation, Parameter } from "../shared/operations.ts";
import { costHeader, logIds, readTrace, type Trace } from "../shared/trace.ts";
import type { Call } from "./call.ts";
import { failureOf } from "./failure.ts";
import { respond } from "./respond.ts";

const OPERATIONS = new Map(operations.map((one) => [one.id, one]));

/** What the entrypoint knows. */
export interface Surroundings extends Pick<Call, "purge"> {
  env: object;
  keyHash: string | undefined;
  isPurgeable(): boolean;
  waitUntil(work: Promise<unknown>): void;
}

/** A failure goes back as data: the gateway alone knows the id of the request that it ends. */
export async function dispatch(request: Request, surroundings: Surroundings): Promise<Response> {
  const trace = readTrace(request.headers);
  let response: Response;
  try {
    response = await answer(request, trace, surroundings);
  } catch (error) {
    const { failure, cacheHeaders } =
      error instanceof HttpError ? error : new HttpError(failureOf(error, request.method, trace));
    response = Response.json(failure, { status: outcomeOf(failure).status, headers: cacheHeaders });
  }
  const cost = costHeader(trace);
  if (cost !== undefined) response.headers.set(QUERY_HEADER, cost);
  response.headers.set(KEY_HASH_HEADER, surroundings.keyHash ?? "");
  return response;
}

function answer(
  request: Request,
  trace: Trace,
  { env, keyHash, purge, waitUntil, ...surroundings }: Surroundings,
): Promise<Response> {
  // Fails closed: the gateway has not looked at a caller without one.
  if (keyHash === undefined) throw new HttpError({ reason: "missing_key" });
  const operation = OPERATIONS.get(request.headers.get(OPERATION_HEADER) ?? "");
  if (operation?.method !== request.method) throw new Error("The gateway has named no operation of this method");
  const url = new URL(request.url);
  const config = readConfig(env);
  const { db, usage } = databaseOf(config);
  const isPurgeable = surroundings.isPurgeable();
  if (!isPurgeable) logOncePerMinute("no_cache", logIds(trace));
  return respond({
    operation,
    path: readPath(operation.path, url),
    query: Object.fromEntries(operation.query.map((parameter) => [parameter.name, readValue(parameter, url)])),
    target: `${request.method} ${url.pathname}`,
    headers: {
      idempotencyKey: request.headers.get("idempotency-key"),
      conditions: JSON.parse(request.headers.get(CONDITIONS_HEADER) ?? "{}"),
    },
    body: () => request.text(),
    caller: { keyHash, trace },
    config,
    isPurgeable,
    db,
    purge,
    note: ({ isUseDue, isFeedSilent }) => {
      if (isUseDue) usage.record(keyHash, trace, waitUntil);
      if (isFeedSilent) logOncePerMinute("feed_silent", logIds(trace));
    },
  });
}

function readPath(parameters: Operation["path"], { pathname }: URL): Record<string, string> {
  const segments = pathname.split("/");
  return Object.fromEntries(parameters.map(({ name, place }) => [name, segments[place] as string]));
}

function readValue({ name, schema }: Parameter, { searchParams }: URL): number | boolean {
  const text = searchParams.get(name) ?? String("default" in schema ? schema.default : undefined);
  return schema.type === "boolean" ? text === "true" : Number(text);
}

interface IsolateDatabase {
  db: Database;
  usage: UsageRecorder;
}

const databases = new WeakMap<Config, IsolateDatabase>();

/** One for the life of the isolate. It holds no connection. */
function databaseOf(config: Config): IsolateDatabase {
  const known = databases.get(config);
  if (known !== undefined) return known;
  const db = openDatabase(config);
  const opened = { db, usage: new UsageRecorder(db) };
  databases.set(config, opened);
  return opened;
}
