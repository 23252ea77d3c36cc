// The Worker in workerd, on a Neon endpoint over the Postgres of this Vitest worker.
// First, so that the database starts while wrangler loads.
import "./database.ts";
import "../../src/node/quiet.ts";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, inject, onTestFinished } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import type { StampedPoint } from "../../src/local/analytics/dataset.ts";
import { startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import { COLUMNS, type DataPoint } from "../../src/worker/shared/analytics.ts";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { connectionString as sharedDatabase } from "./database.ts";
import { DRIVER_SECRET, type Fault, inflict } from "./faults.ts";
import { assetsOf, Miniflare } from "./miniflare.ts";
import { sha256 } from "./records.ts";

export const PURGE_SECRET = "the-secret-of-those-who-purge-in-tests";

export interface TestApi {
  url: URL;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** How many HTTP requests for a response have reached the Neon endpoint: a read or a write each. */
  queries(): number;
  /** How many do while `work` runs. */
  queriesOf(work: () => Promise<unknown>): Promise<number>;
  /** How many have that write down a use of the token. */
  recordings(token: string): number;
  /** From now on the database fails like this, or as the function says each time; undefined: no more. */
  fail(fault: Fault | undefined | (() => Fault | undefined)): void;
  /** Has queries wait until the function that it returns is called. */
  hold(): () => void;
  /** Lets time pass for the edge's cache, whose clock stands still: an age must not depend on how fast a machine is. */
  advance(seconds: number): Promise<void>;
  /** From now on that clock runs as well. */
  runClock(): Promise<void>;
  purge(changed: object, secret?: string): Promise<Response>;
  /** Asks the Api past the gateway and the cache, as this key, for this operation. @returns the status */
  askDirectly(path: string, token: string, operation?: string): Promise<unknown>;
  /** Runs the feed for its minute, as the cron trigger does. */
  runFeed(): Promise<unknown>;
  /** Sets the platform's answer to every purge from now on; null: it takes them. */
  refusePurge(error: { code: number; message: string } | null): Promise<void>;
  /** The data points that the Worker has written since the last time. */
  dataPoints(): Promise<DataPoint[]>;
  /** The lines that the Worker has logged, those of requests that are answered included. */
  logs(): Promise<string[]>;
  /** Begins anew with other settings, until the test is over; undefined unsets one. */
  set(vars: Record<string, string | undefined>): Promise<void>;
}

/** With one of the first three, a Worker is started for the caller alone, which takes a second. */
export interface TestApiOptions {
  isOwn?: boolean;
  /** Whether requests are counted against rate limits, with others than wrangler.toml's for some. Not by default. */
  limits?: Record<string, number>;
  /** The database's URL, if not that of this Vitest worker. */
  connectionString?: string;
  /** What the Worker is told of its environment, beside what every test has; undefined unsets one. */
  vars?: Record<string, string | undefined>;
}

/** A Worker that is running. */
interface Running extends Omit<TestApi, "set"> {
  /** Forgets all that was, and begins with these settings. @throws if a line of the log has given a secret away */
  begin(vars: TestApiOptions["vars"]): Promise<void>;
  close(): Promise<void>;
}

/** The Worker that all files of this Vitest worker share; it ends with the process. */
let shared: Promise<Running> | undefined;
/**
 * The Worker for the tests of a file.
 *
 * @returns an object that is filled in before the first test
 */
export function useApi(options: TestApiOptions = {}): TestApi {
  const api = {} as TestApi;
  const { limits, connectionString } = options;
  const isOwn = options.isOwn ?? [limits, connectionString].some((one) => one !== undefined);
  let running: Running;
  beforeAll(async () => {
    if (!isOwn) shared ??= start({});
    running = await (isOwn ? start(options) : (shared as Promise<Running>));
    await running.begin(options.vars);
    Object.assign(api, running, {
      set: async (vars) => {
        await running.begin(vars);
        onTestFinished(() => running.begin(options.vars));
      },
    } satisfies Partial<TestApi>);
  });
  afterAll(async () => {
    await running.begin({});
    if (isOwn) await running.close();
  });
  return api;
}

async function start({ connectionString = sharedDatabase, limits, vars = {} }: TestApiOptions): Promise<Running> {
  let queries = 0;
  /** The parameters of what writes down uses. */
  let recorded: string[] = [];
  let fault: () => Fault | undefined = () => undefined;
  let held: Promise<void> | undefined;
  const endpoint = await startNeonEndpoint({
    connectionString,
    async intercept({ body }, response) {
      if (isRecording(body)) recorded.push(JSON.stringify(body));
      else queries++;
      await held;
      const now = fault();
      return now !== undefined && inflict(now, response);
    },
  });
  const config = readConfig({ config: "wrangler.toml" });
  let logs: string[] = [];
  /** Told of each line that the Worker logs. */
  let onLine = (_line: string) => {};
  // Without the proxy that `wrangler dev` puts before it, which repeats a GET whose connection breaks and fails a POST.
  const miniflare = new Miniflare({
    workers: [
      {
        config: {
          name: config.name,
          compatibilityDate: config.compatibility_date,
          manifest: {
            mainModule: "worker.js",
            modules: { "worker.js": { type: "esm", contents: readFileSync(inject("worker"), "utf8") } },
          },
          assets: assetsOf(config.assets.directory, config.assets),
          env: {
            [config.assets.binding]: { type: "assets" },
            [config.version_metadata.binding]: { type: "json", value: { id: randomUUID(), tag: "", timestamp: "" } },
            ...limitsOf(config, limits),
            ...textsOf({
              DATABASE_URL: endpoint.connectionString,
              PURGE_SECRET,
              // The longest there is: a machine that is busy is no fault of the database.
              DATABASE_DEADLINE_MS: String(SETTINGS.DATABASE_DEADLINE_MS.maximum),
              ...vars,
            }),
          },
        },
      },
    ],
    handleStructuredLogs: ({ message }: { message: string }) => {
      logs.push(message);
      onLine(message);
    },
  });
  const url = await miniflare.ready;
  function request(path: string, init?: RequestInit): Promise<Response> {
    const headers = new Headers(init?.headers);
    // On a busy machine, Node may use a connection that workerd is just closing because it was idle.
    headers.set("connection", "close");
    // Not `new URL(path, url)`, which takes the path `//x` for a host.
    return fetch(url.origin + path, { ...init, headers });
  }
  const command = async (name: string, value: unknown = null): Promise<unknown> => {
    const response = await request(`/test/${name}`, { method: "POST", body: JSON.stringify(value) });
    return response.json();
  };
  /** Lines come through pipes, and may be slower than the responses. */
  async function readLogs(): Promise<string[]> {
    const mark = randomUUID();
    const { promise, resolve } = Promise.withResolvers<void>();
    let marks = 0;
    onLine = (line) => line === mark && ++marks === 2 && resolve();
    await command("mark-logs", mark);
    await promise;
    logs = logs.filter((line) => line !== mark);
    // What starts with NOSENTRY comes from workerd itself.
    return logs.filter((line) => !line.startsWith("NOSENTRY "));
  }
  return {
    url,
    fetch: request,
    queries: () => queries,
    queriesOf: async (work) => {
      const before = queries;
      await work();
      return queries - before;
    },
    recordings: (token) => recorded.filter((body) => body.includes(sha256(token))).length,
    fail: (next) => {
      fault = typeof next === "function" ? next : () => next;
    },
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    advance: async (seconds) => void (await command("advance", seconds * 1_000)),
    runClock: async () => void (await command("run-clock")),
    purge: (changed, secret = PURGE_SECRET) =>
      request("/ops/purge", {
        method: "POST",
        headers: { authorization: `Bearer ${secret}` },
        body: JSON.stringify(changed),
      }),
    askDirectly: (path, token, operation) => command("ask-api", { path, keyHash: sha256(token), operation }),
    runFeed: async () => (await miniflare.getWorker()).scheduled({ cron: "* * * * *" }),
    refusePurge: async (error) => void (await command("refuse-purge", error)),
    dataPoints: async () => ((await command("data-points")) as StampedPoint[]).map(byName),
    logs: readLogs,
    begin: async (vars = {}) => {
      queries = 0;
      recorded = [];
      fault = () => undefined;
      await command("begin", {
        vars: Object.fromEntries(Object.entries(vars).map(([name, value]) => [name, value ?? null])),
      });
      await readLogs();
      const lines = logs;
      logs = [];
      expect(lines.filter((line) => SECRETS.test(line))).toStrictEqual([]);
    },
    close: async () => {
      await miniflare.dispose();
      await endpoint.close();
    },
  };
}

const isRecording = (body: unknown): boolean =>
  /update "api_keys" set last_used_at/.test((body as { query?: string }).query ?? "");

/** A point by the names of its columns, as `npm run stats` reads it. */
const byName = ({ index, blobs, doubles }: StampedPoint): DataPoint =>
  Object.fromEntries([index, ...blobs, ...doubles].map((value, i) => [COLUMNS[i], value])) as unknown as DataPoint;

interface RateLimit {
  name: string;
  namespace_id: string;
  simple: { limit: number; period: number };
}

function limitsOf({ ratelimits }: ReturnType<typeof readConfig>, budgets: Record<string, number> | undefined): object {
  if (budgets === undefined) return {};
  const bindings = ratelimits.map(({ name, namespace_id, simple }: RateLimit) => [
    name,
    { type: "rate-limit", namespace: namespace_id, simple: { ...simple, limit: budgets[name] ?? simple.limit } },
  ]);
  return Object.fromEntries(bindings);
}

/** Without those that are unset. */
const textsOf = (vars: Record<string, string | undefined>): object =>
  Object.fromEntries(
    Object.entries(vars).flatMap(([name, value]) => (value === undefined ? [] : [[name, { type: "text", value }]])),
  );

/** Tokens, their hashes, connection strings, the secret, and what the driver says, whole or in part. */
const SECRETS = new RegExp(`svl_|[0-9a-f]{64}|postgres(ql)?:|${PURGE_SECRET}|${DRIVER_SECRET}`, "i");
