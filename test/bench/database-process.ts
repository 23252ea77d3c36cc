// The database's side, in a process of its own: for each distance a Neon endpoint and a TCP proxy, both in front of the
// Postgres of DATABASE_URL. Told the distances by DELAYS_MS; says where they are, and on demand how much was asked.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import { type Distance, MAX_CONNECTIONS, type Queries } from "./database.ts";

const postgresUrl = process.env.DATABASE_URL as string;
const delaysMs: number[] = JSON.parse(process.env.DELAYS_MS as string);

/** The milliseconds that {@link slowly} adds to a query on average; 0: none. */
let slowMs = 0;
let nextFree: number[] = Array(MAX_CONNECTIONS).fill(0);

/** Waits for one of the connections, and keeps it: not always as long, or all would become free together. */
function slowly(): Promise<unknown> {
  const now = performance.now();
  nextFree = nextFree.toSorted((a, b) => a - b);
  const until = Math.max(now, nextFree[0] ?? 0) + slowMs * (0.5 + Math.random());
  nextFree[0] = until;
  return sleep(until - now);
}

/** One round trip of HTTP each, on connections that are kept. */
async function startEndpoint(delayMs: number) {
  const count: Queries = { arrived: 0, givenUp: 0 };
  const { connectionString } = await startNeonEndpoint({
    connectionString: postgresUrl,
    maxConnections: MAX_CONNECTIONS,
    async intercept(_, response) {
      count.arrived++;
      response.once("close", () => {
        if (!response.writableFinished) count.givenUp++;
      });
      if (delayMs > 0) await sleep(delayMs);
      if (slowMs > 0) await slowly();
      return false;
    },
  });
  return { connectionString, count };
}

/** For what speaks Postgres's own protocol: everything arrives half a round trip later, in both directions. */
async function startProxy(delayMs: number): Promise<string> {
  const upstream = new URL(postgresUrl);
  const server = createServer((client) => {
    const database = connect(Number(upstream.port), upstream.hostname);
    forward(client, database, delayMs / 2);
    forward(database, client, delayMs / 2);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no TCP address");
  const proxied = new URL(upstream);
  proxied.port = String(address.port);
  return proxied.href;
}

function forward(from: Socket, to: Socket, delayMs: number): void {
  from.setNoDelay(true);
  // Timers of the same length fire in the order in which they were set.
  from.on("data", (chunk) => setTimeout(() => to.write(chunk), delayMs));
  from.on("close", () => setTimeout(() => to.destroy(), delayMs));
  from.on("error", () => to.destroy());
}

const endpoints = await Promise.all(delaysMs.map(startEndpoint));
const distances: Distance[] = await Promise.all(
  endpoints.map(async ({ connectionString }, i) => {
    const delayMs = delaysMs[i] ?? 0;
    return {
      delayMs,
      neonConnectionString: connectionString,
      postgresUrl: delayMs === 0 ? postgresUrl : await startProxy(delayMs),
    };
  }),
);
process.on("message", (asked) => {
  if (typeof asked === "number") {
    slowMs = asked;
    nextFree = Array(MAX_CONNECTIONS).fill(0);
    process.send?.(null);
  } else {
    process.send?.(endpoints.map(({ count }) => count));
  }
});
process.on("disconnect", () => process.exit());
process.send?.(distances);
