// The Worker in workerd, on a Neon endpoint of its own over the run's Postgres.
import "../../src/cli/support/quiet.ts";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { createTestHarness, unstable_readConfig as readConfig } from "wrangler";
import type { StampedPoint } from "../../src/local/analytics/dataset.ts";
import { startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import { COLUMNS, columnOf, type DataPoint } from "../../src/worker/shared/analytics.ts";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { type Fault, inflict } from "./faults.ts";
import { sha256 } from "./records.ts";

export const PURGE_SECRET = "the-secret-of-those-who-purge-in-tests";

export interface TestApi {
  url: URL;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** How many HTTP requests for an answer have reached the Neon endpoint: a read or a write each. */
  queries(): number;
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
  /** Runs the feed for its minute, as the cron trigger does. */
  runFeed(): Promise<unknown>;
  /** Sets the platform's answer to every purge from now on; null: it takes them. */
  refusePurge(error: { code: number; message: string } | null): Promise<void>;
  /** The data points that the Worker has written since the last time. */
  dataPoints(): Promise<DataPoint[]>;
  /** The lines that the Worker has logged. */
  logs(): string[];
  /** Ends everything, once no line of the log has given a secret away. */
  close(): Promise<void>;
}

export interface TestApiOptions {
  /** The database's URL; see test/support/global-setup.ts. */
  connectionString: string;
  /** Beside those of every test; undefined unsets one. */
  vars?: Record<string, string | undefined>;
  /** Instead of the Neon endpoint's: for a Worker that is wrongly set up. */
  databaseUrl?: string;
  /** Whether requests are counted against budgets, with others than wrangler.toml's for some. Not by default. */
  limits?: Record<string, number>;
  /** Another Worker than the one that tests run. */
  main?: string;
}

/**
 * The Worker for the tests of a file or of a `describe`, over the run's database.
 *
 * @returns an object that is filled in before the first test
 */
export function useApi(options: Omit<TestApiOptions, "connectionString"> = {}): TestApi {
  const api = {} as TestApi;
  beforeAll(async () => {
    Object.assign(api, await startApi({ ...options, connectionString: inject("connectionString") }));
  });
  afterAll(() => api.close());
  return api;
}

export async function startApi(options: TestApiOptions): Promise<TestApi> {
  let queries = 0;
  /** The parameters of what writes down uses. */
  const recorded: string[] = [];
  let fault: () => Fault | undefined = () => undefined;
  let held: Promise<void> | undefined;
  const endpoint = await startNeonEndpoint({
    connectionString: options.connectionString,
    async intercept({ body }, response) {
      if (isRecording(body)) recorded.push(JSON.stringify(body));
      else queries++;
      await held;
      const now = fault();
      return now !== undefined && inflict(now, response);
    },
  });
  const config = readConfig({ config: "wrangler.toml" });
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name: config.name,
          main: options.main ?? "test/support/workers/api.ts",
          compatibility_date: config.compatibility_date,
          ratelimits: ratelimitsOf(config, options.limits),
          version_metadata: config.version_metadata,
          assets: config.assets,
          vars: present({
            DATABASE_URL: options.databaseUrl ?? endpoint.connectionString,
            PURGE_SECRET,
            // The longest there is: a machine that is busy is no fault of the database.
            DATABASE_DEADLINE_MS: String(SETTINGS.DATABASE_DEADLINE_MS.maximum),
            ...options.vars,
          }),
        },
      },
    ],
  });
  const { url } = await harness.listen();
  const logs = () => harness.getLogs().map(({ message }) => message);
  // Not `new URL(path, url)`, which takes the path `//x` for a host.
  const request = (path: string, init?: RequestInit) => fetch(url.origin + path, init);
  const command = async (path: string, body: unknown) => {
    await request(path, { method: "POST", body: JSON.stringify(body) });
  };
  return {
    url,
    fetch: request,
    queries: () => queries,
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
    advance: (seconds) => command("/test/advance", seconds * 1_000),
    runClock: () => command("/test/run-clock", null),
    purge: (changed, secret = PURGE_SECRET) =>
      request("/ops/purge", {
        method: "POST",
        headers: { authorization: `Bearer ${secret}` },
        body: JSON.stringify(changed),
      }),
    runFeed: () => harness.getWorker(config.name).scheduled({ cron: "* * * * *" }),
    refusePurge: (error) => command("/test/refuse-purge", error),
    dataPoints: async () => ((await (await request("/test/data-points")).json()) as StampedPoint[]).map(byName),
    logs,
    close: async () => {
      const lines = logs();
      await harness.close();
      await endpoint.close();
      expect(lines.filter((line) => SECRETS.test(line))).toStrictEqual([]);
    },
  };
}

const isRecording = (body: unknown): boolean =>
  /update "api_keys" set last_used_at/.test((body as { query?: string }).query ?? "");

/** A point by the names of its columns, as `npm run stats` reads it. */
function byName({ index, blobs, doubles }: StampedPoint): DataPoint {
  const columns: Record<string, string | number> = { index1: index };
  for (const [i, blob] of blobs.entries()) columns[`blob${i + 1}`] = blob;
  for (const [i, double] of doubles.entries()) columns[`double${i + 1}`] = double;
  return Object.fromEntries(COLUMNS.map((name) => [name, columns[columnOf(name)]])) as unknown as DataPoint;
}

function ratelimitsOf({ ratelimits }: ReturnType<typeof readConfig>, budgets: Record<string, number> | undefined) {
  if (budgets === undefined) return [];
  return ratelimits.map(({ simple, ...binding }: { name: string; simple: { limit: number } }) => ({
    ...binding,
    simple: { ...simple, limit: budgets[binding.name] ?? simple.limit },
  }));
}

function present(vars: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(vars).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** Tokens, their hashes, connection strings and the secret, whole or in part. */
const SECRETS = new RegExp(`svl_|[0-9a-f]{64}|postgres(ql)?:|${PURGE_SECRET}`, "i");
