import { existsSync, readFileSync } from "node:fs";
import { type Children, message } from "./children.ts";
import { withClient } from "./client.ts";
import { childrenCpuMs, parentOf } from "./usage.ts";

/** The database as it looks from some way off. */
export interface Distance {
  /** The length of a round trip, in milliseconds. */
  delayMs: number;
  /** For Neon's driver. */
  neonConnectionString: string;
  /** For `pg`. */
  postgresUrl: string;
}

/** How many queries have arrived, and how many of those were given up before their answer. */
export interface Queries {
  arrived: number;
  givenUp: number;
}

/** For one endpoint: two of them, and the usual servers, share the hundred connections of a Postgres. */
export const MAX_CONNECTIONS = 10;

export interface DatabaseSide {
  distances: Distance[];
  /** The queries that have come from Workers so far, at each distance. */
  queries(): Promise<Queries[]>;
  /**
   * Slows the nearest endpoint down: each query keeps one of {@link MAX_CONNECTIONS} connections for so many milliseconds
   * more, on average. 0: no more.
   */
  slowDown(ms: number): Promise<void>;
  /** An embedded Postgres has one session for all: what one client prepares, another one's query discards. */
  isEmbedded: boolean;
  /** CPU time of Postgres so far, in milliseconds; 0 of an embedded one, which has no process of its own. */
  postgresCpuMs(): number;
}

/** Puts a Postgres at some distances. */
export async function startDatabaseSide(
  children: Children,
  connectionString: string,
  delaysMs: readonly number[],
): Promise<DatabaseSide> {
  const child = children.start(process.execPath, [new URL("database-process.ts", import.meta.url).pathname], {
    env: { ...process.env, DATABASE_URL: connectionString, DELAYS_MS: JSON.stringify(delaysMs) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const server = await findServer(connectionString);
  const distances = await message<Distance[]>(child);
  return {
    distances,
    queries: () => {
      child.send("queries");
      return message<Queries[]>(child);
    },
    slowDown: (ms) => {
      child.send(ms);
      return message<void>(child);
    },
    isEmbedded: server === undefined,
    postgresCpuMs: () => (server === undefined ? 0 : childrenCpuMs(server)),
  };
}

/** The process that starts one for every connection; undefined of an embedded Postgres. */
function findServer(connectionString: string): Promise<number | undefined> {
  return withClient(connectionString, async (client) => {
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const [{ pid }] = rows as [{ pid: number }];
    const name = `/proc/${pid}/comm`;
    return existsSync(name) && readFileSync(name, "utf8").startsWith("postgres") ? parentOf(pid) : undefined;
  });
}
