import { existsSync, readFileSync } from "node:fs";
import pg from "pg";
import { type Children, message } from "./children.ts";
import { childrenCpuMs, parentOf } from "./usage.ts";

/** The database as it looks from some way off. */
export interface Distance {
  /** Of a round trip, in milliseconds. */
  delayMs: number;
  /** Of the Neon endpoint, for `fetch` … */
  neonUrl: string;
  /** … and for the driver. */
  neonConnectionString: string;
  /** For `pg`. */
  postgresUrl: string;
}

export interface DatabaseSide {
  distances: Distance[];
  /** How many queries have come from Workers so far, a number for each distance. */
  queries(): Promise<number[]>;
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
  const distances = await message<Distance[]>(child);
  return {
    distances,
    queries: () => {
      child.send("queries");
      return message<number[]>(child);
    },
    postgresCpuMs: await postgresUsage(connectionString),
  };
}

async function postgresUsage(connectionString: string): Promise<() => number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const { rows } = await client.query("select pg_backend_pid() as pid");
  const [{ pid }] = rows as [{ pid: number }];
  const server = existsSync(`/proc/${pid}/comm`) && /^postgres/.test(readFileSync(`/proc/${pid}/comm`, "utf8"));
  // Of the server, which starts a process for every connection.
  const parent = server ? parentOf(pid) : undefined;
  await client.end();
  return () => (parent === undefined ? 0 : childrenCpuMs(parent));
}
