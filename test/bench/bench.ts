// One run from the first build to the last process ended.
import { cpus, loadavg } from "node:os";
import { migrate } from "../../drizzle/migrate.ts";
import { type Bar, barsOf } from "./bars.ts";
import { type Bundle, type BundleName, buildAll } from "./build.ts";
import type { Children } from "./children.ts";
import { askFor, PURGE_SECRET, startContenders, startOurs } from "./contenders.ts";
import { costsOf, type MonthlyCost } from "./costs.ts";
import { type DatabaseSide, startDatabaseSide } from "./database.ts";
import { measureAll, type Row } from "./measure.ts";
import { type Memory, measureMemory } from "./memory.ts";
import type { Plan } from "./plan.ts";
import { measurePopularity, type Popularity } from "./popularity.ts";
import { populate, targetOf } from "./population.ts";
import { measureStarts, type Start } from "./starts.ts";
import { measureStatement } from "./statement.ts";
import { simulateTiers, type Tiers } from "./tiers.ts";
import { createZipf } from "./zipf.ts";

export interface Report {
  /** When it began, in ISO 8601. */
  at: string;
  machine: { cpu: string; cores: number; node: string; loadAverageBefore: number };
  plan: Plan;
  rows: Row[];
  /** Of the Worker that is deployed. */
  bundle: Omit<Bundle, "path">;
  start: { ours: Start; usual: Start; empty: Start };
  /** Of ours, at hits. */
  memory: Memory;
  popularity: Popularity;
  tiers: Tiers[];
  /** Of Postgres, for our statement. */
  statementMs: number;
  costs: MonthlyCost[];
  bars: Bar[];
}

/** https://developers.cloudflare.com/workers/cache/#tiered-cache says nothing of numbers; Cloudflare has some 330. */
const DATA_CENTRES = [1, 10, 100, 300];
const MODEL_REQUESTS_PER_SECOND = 100_000;
/** The defaults of src/worker/shared/config.ts. */
const POLICY = { freshSeconds: 30, staleWhileRevalidateSeconds: 30 };
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
}

/** Measures everything there is to measure. */
export async function bench(plan: Plan, { connectionString, children, directory, say }: Surroundings): Promise<Report> {
  const startedAt = performance.now();
  const at = new Date().toISOString();
  const machine = describeMachine();
  say("building");
  const bundles = await buildAll(children, directory);
  say("filling the database");
  await migrate(connectionString);
  await populate(connectionString, plan.population);
  const targets = Array.from({ length: STATEMENTS }, (_, n) => targetOf(plan.population, n));
  const statementMs = await measureStatement(connectionString, targets);
  const database = await startDatabaseSide(children, connectionString, plan.delaysMs);
  say("starting");
  const start = await measureAllStarts(children, bundles, database, plan);
  const contenders = await startContenders(children, bundles, database, plan.population);
  const rows = await measureAll(contenders, plan, say);
  say("the Zipf run");
  const popularity = await runPopularity(children, bundles, database, connectionString, plan);
  say(`memory over ${plan.memoryRequests} requests`);
  const memory = await runMemory(children, bundles, database, plan, startedAt + 1_000 * plan.memoryUntilSeconds);
  say("the model of data centres");
  const tiers = DATA_CENTRES.map((dataCentres) => model(dataCentres, plan));
  const { path: _, ...bundle } = bundles.deployed;
  const costs = costsOf({ rows, statementMs, processes: plan.population.processes, freshSeconds: POLICY.freshSeconds });
  const report = { at, machine, plan, rows, bundle, start, memory, popularity, tiers, statementMs, costs };
  return { ...report, bars: barsOf(report) };
}

function describeMachine(): Report["machine"] {
  const [processor] = cpus();
  return {
    cpu: processor?.model ?? "unknown",
    cores: cpus().length,
    node: process.version,
    loadAverageBefore: loadavg()[0] as number,
  };
}

type Bundles = Record<BundleName, Bundle>;

async function measureAllStarts(
  children: Children,
  bundles: Bundles,
  { distances }: DatabaseSide,
  { starts, population }: Plan,
): Promise<Report["start"]> {
  const ask = askFor(targetOf(population, 0));
  const bindings = { DATABASE_URL: distances[0]?.neonConnectionString ?? "", PURGE_SECRET };
  const measure = ({ path }: Bundle) => measureStarts(children, { bundle: path, bindings }, ask, starts);
  return {
    ours: await measure(bundles.ours),
    usual: await measure(bundles.usual),
    empty: await measure(bundles.empty),
  };
}

async function runPopularity(
  children: Children,
  bundles: Bundles,
  database: DatabaseSide,
  connectionString: string,
  { population, zipf }: Plan,
): Promise<Popularity> {
  const [nearest] = database.distances;
  if (nearest === undefined) throw new Error("The database is nowhere");
  const server = await startOurs(children, bundles.ours, nearest);
  const queries = async () => (await database.queries())[0] as number;
  const popularity = await measurePopularity(server, queries, connectionString, population, zipf);
  await children.stop(server.process);
  return popularity;
}

async function runMemory(
  children: Children,
  bundles: Bundles,
  { distances: [nearest] }: DatabaseSide,
  { population, memoryRequests, connections }: Plan,
  deadline: number,
): Promise<Memory> {
  if (nearest === undefined) throw new Error("The database is nowhere");
  const server = await startOurs(children, bundles.ours, nearest);
  const draw = createZipf(population.processes);
  const asks = Array.from({ length: MEMORY_ASKS }, () => askFor(targetOf(population, draw())));
  const memory = await measureMemory(server, asks, { requests: memoryRequests, connections, deadline });
  await children.stop(server.process);
  return memory;
}

function model(dataCentres: number, { population, modelSeconds }: Plan): Tiers {
  return simulateTiers({
    dataCentres,
    requestsPerSecond: MODEL_REQUESTS_PER_SECOND,
    seconds: modelSeconds,
    processes: population.processes,
    ...POLICY,
  });
}
