// Who is measured, and what each is asked.
import { isDeepStrictEqual } from "node:util";
import type { Bundle, BundleName } from "./build.ts";
import { type Children, message } from "./children.ts";
import type { DatabaseSide, Distance } from "./database.ts";
import { type Answer, type Ask, type Asks, pace } from "./load.ts";
import { type Population, type Target, targetOf } from "./population.ts";
import type { Server } from "./server.ts";
import { statementOf } from "./statement.ts";
import { startWorker } from "./workerd.ts";

export type ContenderName =
  | "hit"
  | "hit, 304"
  | "miss"
  | "miss, no cache"
  | "bare Worker"
  | "gateway"
  | "gateway floor"
  | "query floor"
  | "usual Worker"
  | "usual server";

/** Somebody to measure, at one distance from the database. */
export interface Contender {
  name: ContenderName;
  delayMs: number;
  server: Server;
  asks: Asks;
  status: number;
  /** How many queries it has made so far. */
  queries(): Promise<number>;
  /** CPU time of Postgres so far, in milliseconds. */
  postgresCpuMs(): number;
}

/** With which operators would purge. */
export const PURGE_SECRET = "the-secret-of-those-who-purge-in-benchmarks";

/** Few enough to be warm, and more than one. */
const WARM_TARGETS = 64;
/** Shares no factor with the number of processes: a walk in such steps meets each once before it meets one again. */
const STRIDE = 61_803;
/** Web processes: of one kind, their payloads have one length. */
const WEB = 4;

export const askFor = ({ path, token }: Target): Ask => ({ path, headers: { authorization: `Bearer ${token}` } });

/** Every process in turn, the neighbour of none: long before one comes again, no cache has it any more. */
export function walk(population: Population): () => Ask {
  let n = 0;
  return () => askFor(targetOf(population, (n++ * STRIDE) % population.processes));
}

/** Starts everybody, at every distance, and sees to it that all give the same answer. */
export async function startContenders(
  children: Children,
  bundles: Record<BundleName, Bundle>,
  database: DatabaseSide,
  population: Population,
): Promise<Contender[]> {
  const warm = Array.from({ length: Math.min(WARM_TARGETS, population.processes / WEB) }, (_, i) =>
    askFor(targetOf(population, i * WEB)),
  );
  const first = warm[0] as Ask;
  const all: Contender[] = [];
  let constant: Awaited<ReturnType<typeof startConstants>> | undefined;
  for (const [place, distance] of database.distances.entries()) {
    const { delayMs } = distance;
    const ofEndpoint = async () => (await database.queries())[place]?.arrived as number;
    const add = (name: ContenderName, server: Server, asks: Asks, more: Partial<Contender> = {}) =>
      all.push({
        name,
        delayMs,
        server,
        asks,
        status: 200,
        queries: ofEndpoint,
        postgresCpuMs: database.postgresCpuMs,
        ...more,
      });

    // One for each, so that the memory of one is not that of the other.
    const hits = await startOurs(children, bundles.ours, distance);
    const misses = await startOurs(children, bundles.ours, distance);
    const answers = await fetchAll(hits, warm);
    add("hit", hits, warm);
    add("hit, 304", hits, answers.map(conditional), { status: 304 });
    add("miss", misses, walk(population));
    const uncached = await startOurs(children, bundles.uncached, distance);
    add("miss, no cache", uncached, walk(population));

    constant ??= await startConstants(children, bundles, distance, answers[0] as Answer);
    add("bare Worker", constant.bare, warm);
    add("gateway", constant.gateway, warm);
    add("gateway floor", constant.floor, warm);

    const floor = await startWorker(children, {
      bundle: bundles["query-floor"].path,
      bindings: {
        DATABASE_URL: distance.neonConnectionString,
        STATEMENT: (await statementOf(targetOf(population, 0))).text,
      },
    });
    add("query floor", floor, walk(population));

    const usual = await startWorker(children, {
      bundle: bundles.usual.path,
      bindings: { DATABASE_URL: distance.neonConnectionString },
    });
    add("usual Worker", usual, walk(population));

    const { server, queries } = await startUsualServer(children, distance, database.isEmbedded);
    add("usual server", server, walk(population), { queries });
    for (const one of [misses, uncached, constant.bare, constant.gateway, constant.floor, floor, usual, server]) {
      await expectSame(one, first, answers[0]);
    }
  }
  return all;
}

/** The product, with or without the stand-in for Workers Caching. */
export function startOurs(
  children: Children,
  { path }: Bundle,
  { neonConnectionString }: Distance,
  settings: Record<string, string> = {},
) {
  return startWorker(children, {
    bundle: path,
    bindings: { DATABASE_URL: neonConnectionString, PURGE_SECRET, ...settings },
  });
}

/** Headers of the connection, and those that workerd writes by itself. */
const HEADERS_OF_THE_SERVER = ["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

/** The Workers that look nothing up: they answer what ours does, to the last header. */
async function startConstants(
  children: Children,
  bundles: Record<BundleName, Bundle>,
  distance: Distance,
  { body, headers }: Answer,
) {
  const own = Object.entries(headers).filter(([name]) => !HEADERS_OF_THE_SERVER.includes(name));
  const bindings = { PAYLOAD: body, HEADERS: JSON.stringify(Object.fromEntries(own)) };
  return {
    gateway: await startOurs(children, bundles.gateway, distance, bindings),
    bare: await startWorker(children, { bundle: bundles.bare.path, bindings }),
    floor: await startWorker(children, { bundle: bundles["gateway-floor"].path, bindings }),
  };
}

export async function startUsualServer(children: Children, { postgresUrl }: Distance, isEmbedded: boolean) {
  const child = children.start(process.execPath, [new URL("usual-server.ts", import.meta.url).pathname], {
    env: {
      ...process.env,
      NODE_ENV: "production",
      DATABASE_URL: postgresUrl,
      PREPARED: String(!isEmbedded),
    },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const port = await message<number>(child);
  return {
    server: { process: child, pid: child.pid as number, port },
    queries: () => {
      child.send("queries");
      return message<number>(child);
    },
  };
}

/** The answers to some requests, one after the other. */
async function fetchAll({ port }: Server, asks: readonly Ask[]): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const ask of asks) {
    await pace(port, [ask], { perSecond: 1, seconds: 1 }, (answer) => {
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
      answers.push(answer);
    });
  }
  return answers;
}

const conditional = ({ ask, headers }: Answer): Ask => ({
  ...ask,
  headers: { ...ask.headers, "if-none-match": String(headers.etag) },
});

async function expectSame(server: Server, ask: Ask, expected: Answer | undefined): Promise<void> {
  const [answer] = await fetchAll(server, [ask]);
  if (isDeepStrictEqual(JSON.parse(answer?.body ?? ""), JSON.parse(expected?.body ?? ""))) return;
  throw new Error(`Not the same answer: ${answer?.body}\ninstead of ${expected?.body}`);
}
