// One run from the first build to the last process ended. Each part stands for itself: one that fails says why, and the
// others go on.
import { cpus, loadavg } from "node:os";
import { migrate } from "../../drizzle/migrate.ts";
import { SETTINGS } from "../../src/worker/shared/config.ts";
import { type Bundle, buildAll } from "./build.ts";
import type { Children } from "./children.ts";
import { askFor, PURGE_SECRET, startContenders, startOurs } from "./contenders.ts";
import { type Bench, nearestOf } from "./context.ts";
import { costsOf, type MonthlyCost } from "./costs.ts";
import { startDatabaseSide } from "./database.ts";
import { type Freshness, measureFreshness, startFeeding } from "./freshness.ts";
import type { Curve } from "./goodput.ts";
import { type Growth, measureGrowth } from "./growth.ts";
import { measureAll, type Row } from "./measure.ts";
import { type Memory, measureMemory } from "./memory.ts";
import { type Backlog, measureBacklog, measureNeighbours, type Neighbours } from "./motion.ts";
import {
  type BesideMisses,
  measureHitsBesideMisses,
  measureOverload,
  measureSlowDatabase,
  type SlowDatabase,
} from "./overload.ts";
import type { Plan } from "./plan.ts";
import { measurePopularity, type Popularity } from "./popularity.ts";
import { populate, targetOf } from "./population.ts";
import { measureStarts, type Start } from "./starts.ts";
import { measureStatement } from "./statement.ts";
import { modelTiers, type Tiers } from "./tiers.ts";
import { measureWriters, type WriterCost } from "./writers.ts";
import { createZipf } from "./zipf.ts";

/** The parts of a run, each measured by itself. */
interface Parts {
  start: { ours: Start; usual: Start; empty: Start };
  rows: Row[];
  /** The time that Postgres takes for our statement. */
  statementMs: number;
  popularity: Popularity;
  overload: Curve[];
  slowDatabase: SlowDatabase;
  hitsBesideMisses: BesideMisses;
  neighbours: Neighbours;
  /** The memory of ours, at hits. */
  memory: Memory;
  writers: WriterCost[];
  freshness: Freshness[];
  backlog: Backlog;
  growth: Growth[];
}

export type PartName = keyof Parts;

/** In the order in which they run: `freshness` and `backlog` revoke keys, and `growth` fills the database. */
export const PARTS = [
  "start",
  "rows",
  "statementMs",
  "popularity",
  "overload",
  "slowDatabase",
  "hitsBesideMisses",
  "neighbours",
  "memory",
  "writers",
  "freshness",
  "backlog",
  "growth",
] as const satisfies PartName[];

export interface Report extends Partial<Parts> {
  /** When it began, in ISO 8601. */
  at: string;
  machine: { cpu: string; cores: number; node: string; loadAverageBefore: number };
  plan: Plan;
  /** The bundle of the Worker that is deployed. */
  bundle: Omit<Bundle, "path">;
  tiers: Tiers[];
  costs: MonthlyCost[];
  /** Why parts are missing. */
  failures: Partial<Record<PartName, string>>;
}

/** https://developers.cloudflare.com/workers/cache/#tiered-cache says nothing of numbers; Cloudflare has some 330. */
const DATA_CENTRES = [1, 10, 100, 300];
const MODEL_REQUESTS_PER_SECOND = 100_000;
/** Without the feed, and with it. */
const FRESH_SECONDS = [SETTINGS.EDGE_FRESH_WITHOUT_FEED_SECONDS.default, SETTINGS.EDGE_FRESH_SECONDS.default];
/** How many times Postgres is asked how long it takes. */
const STATEMENTS = 200;
/** Drawn once and asked for over and over while memory is measured. */
const MEMORY_ASKS = 2_000;

/** Where a run takes place. What it leaves there is for its caller to clear away, however it ends. */
interface Surroundings {
  /** An empty or migrated database on this machine; a population is added to it. */
  connectionString: string;
  /** Will hold what is running. */
  children: Children;
  /** Will hold what was built. */
  directory: string;
  say(line: string): void;
  /** Called after each part with all that there is until then. */
  save(report: Report): Promise<unknown>;
}

/** Measures what was asked for. */
export async function bench(plan: Plan, parts: readonly PartName[], surroundings: Surroundings): Promise<Report> {
  const { connectionString, children, directory, say, save } = surroundings;
  const at = new Date().toISOString();
  const machine = describeMachine();
  say("building");
  const bundles = await buildAll(children, directory);
  say("filling the database");
  await migrate(connectionString);
  await populate(connectionString, plan.population);
  const database = await startDatabaseSide(children, connectionString, plan.delaysMs);
  const { path: _, ...bundle } = bundles.deployed;
  const report: Report = { at, machine, plan, bundle, tiers: modelAll(plan), costs: [], failures: {} };
  const run: Bench = { plan, connectionString, children, bundles, database, say };
  for (const part of PARTS.filter((name) => parts.includes(name))) {
    say(part);
    try {
      Object.assign(report, { [part]: await MEASURES[part](run) });
    } catch (error) {
      report.failures[part] = String(error);
      say(`${part} failed: ${error instanceof Error ? error.stack : error}`);
    }
    report.costs = costs(report);
    await save(report);
  }
  return report;
}

const MEASURES: { [Name in PartName]: (run: Bench) => Promise<Parts[Name]> } = {
  start: measureAllStarts,
  rows: measureRows,
  statementMs: ({ connectionString, plan }) =>
    measureStatement(
      connectionString,
      Array.from({ length: STATEMENTS }, (_, n) => targetOf(plan.population, n)),
    ),
  popularity: runPopularity,
  overload: measureOverload,
  slowDatabase: measureSlowDatabase,
  hitsBesideMisses: measureHitsBesideMisses,
  neighbours: measureNeighbours,
  memory: runMemory,
  writers: ({ connectionString, plan }) => measureWriters(connectionString, plan.writers),
  freshness: runFreshness,
  backlog: measureBacklog,
  growth: ({ connectionString, plan }) => measureGrowth(connectionString, plan.growth),
};

function describeMachine(): Report["machine"] {
  const [processor] = cpus();
  return {
    cpu: processor?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
    loadAverageBefore: loadavg()[0] as number,
  };
}

async function measureAllStarts({ plan, bundles, database, children }: Bench): Promise<Parts["start"]> {
  const ask = askFor(targetOf(plan.population, 0));
  const bindings = { DATABASE_URL: database.distances[0]?.neonConnectionString ?? "", PURGE_SECRET };
  const measure = ({ path }: Bundle) => measureStarts(children, { bundle: path, bindings }, ask, plan.starts);
  return {
    ours: await measure(bundles.uncached),
    usual: await measure(bundles.usual),
    empty: await measure(bundles.empty),
  };
}

async function measureRows({ plan, bundles, database, children, say }: Bench): Promise<Row[]> {
  const contenders = await startContenders(children, bundles, database, plan.population);
  try {
    return await measureAll(contenders, plan, say);
  } finally {
    for (const { server } of contenders) await children.stop(server.process);
  }
}

async function runPopularity({ plan, bundles, database, connectionString, children }: Bench): Promise<Popularity> {
  const server = await startOurs(children, bundles.feeding, nearestOf(database));
  const stopFeeding = await startFeeding(server, connectionString);
  const queries = async () => (await database.queries())[0]?.arrived as number;
  try {
    return await measurePopularity(server, queries, connectionString, plan.population, plan.zipf);
  } finally {
    stopFeeding();
    await children.stop(server.process);
  }
}

async function runMemory({ plan, bundles, database, children }: Bench): Promise<Memory> {
  const server = await startOurs(children, bundles.ours, nearestOf(database));
  const draw = createZipf(plan.population.processes);
  const asks = Array.from({ length: MEMORY_ASKS }, () => askFor(targetOf(plan.population, draw())));
  const deadline = performance.now() + 1_000 * plan.memorySeconds;
  try {
    return await measureMemory(server, asks, {
      requests: plan.memoryRequests,
      connections: plan.connections,
      deadline,
    });
  } finally {
    await children.stop(server.process);
  }
}

async function runFreshness({ plan, bundles, database, connectionString, children, say }: Bench): Promise<Freshness[]> {
  const all: Freshness[] = [];
  const used = { changes: 0, revocations: 0 };
  for (const rate of plan.freshness.rates) {
    say(`${rate.changesPerMinute} changes a minute`);
    // One for each, and with it a full bucket.
    const server = await startOurs(children, bundles.feeding, nearestOf(database));
    const stopFeeding = await startFeeding(server, connectionString);
    try {
      const options = { ...rate, pollMs: plan.freshness.pollMs };
      all.push(await measureFreshness(server, connectionString, plan.population, options, used));
    } finally {
      stopFeeding();
      await children.stop(server.process);
    }
  }
  return all;
}

function modelAll({ population }: Plan): Tiers[] {
  return FRESH_SECONDS.flatMap((freshSeconds) =>
    DATA_CENTRES.map((dataCentres) =>
      modelTiers({
        dataCentres,
        requestsPerSecond: MODEL_REQUESTS_PER_SECOND,
        processes: population.processes,
        freshSeconds,
        staleWhileRevalidateSeconds: SETTINGS.EDGE_STALE_WHILE_REVALIDATE_SECONDS.default,
      }),
    ),
  );
}

function costs({ rows, statementMs, plan }: Report): MonthlyCost[] {
  if (rows === undefined || statementMs === undefined) return [];
  const { processes } = plan.population;
  return FRESH_SECONDS.flatMap((freshSeconds) => costsOf({ rows, statementMs, processes, freshSeconds }));
}
