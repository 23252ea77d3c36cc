// Two ways to ask: as fast as answers come, and at a steady rate.
import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import autocannon from "autocannon";

/** One request, by GET. */
export interface Ask {
  path: string;
  headers: Record<string, string>;
}

/** The requests: a few over and over, or each time the next one. */
export type Asks = readonly Ask[] | (() => Ask);

/** How long, or how many. */
export type Until = { seconds: number } | { requests: number };

interface Saturation {
  port: number;
  asks: Asks;
  /** The status of every answer that is no failure. */
  status: number;
  /** Whether 503 is no failure, either. It does not count. */
  mayBeRefused?: boolean;
  connections: number;
  until: Until;
}

export interface Throughput {
  requests: number;
  seconds: number;
}

/**
 * Asks as fast as answers come, one request at a time on each connection.
 *
 * @throws Error if an answer is not what it should be
 */
export async function saturate({
  port,
  asks,
  status,
  mayBeRefused = false,
  connections,
  until,
}: Saturation): Promise<Throughput> {
  const startedAt = performance.now();
  const { statusCodeStats = {}, errors } = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    ...("seconds" in until ? { duration: until.seconds } : { amount: until.requests }),
    // A sample ends a run: the default of a second would round its length up.
    sampleInt: 50,
    requests:
      typeof asks === "function"
        ? [{ setupRequest: (request) => ({ ...request, ...asks() }) }]
        : asks.map((ask) => ({ ...ask })),
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const requests = statusCodeStats[`${status}`]?.count ?? 0;
  const refused = mayBeRefused ? (statusCodeStats["503"]?.count ?? 0) : 0;
  const all = Object.values(statusCodeStats).reduce((sum, one) => sum + (one.count ?? 0), 0);
  if (errors > 0 || all > requests + refused || requests === 0) {
    throw new Error(`${errors} errors, and instead of ${status}: ${JSON.stringify(statusCodeStats)}`);
  }
  return { requests, seconds };
}

/** After which a client has given up. */
const TIMEOUT_MS = 30_000;

/** An answer to a request of {@link pace}. */
export interface Answer {
  ask: Ask;
  /** Undefined if there was no answer; the body says why. */
  status: number | undefined;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
  /** As of `performance.now()`. */
  sentAt: number;
  /** From the request until the last byte of the answer. */
  ms: number;
}

export const isHit = ({ headers }: Answer): boolean => String(headers["cache-status"]).includes("; hit");

/**
 * Asks at a steady rate, whether answers come or not. Our own, because autocannon sends the requests of every second at
 * its beginning and each only after the answer to the last, which measures a queue.
 */
export async function pace(
  port: number,
  asks: Asks,
  { perSecond, seconds }: { perSecond: number; seconds: number },
  onAnswer: (answer: Answer) => void,
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const startedAt = performance.now();
  const answers: Promise<void>[] = [];
  try {
    for (let n = 0; n < perSecond * seconds; n++) {
      const dueMs = (n * 1_000) / perSecond - (performance.now() - startedAt);
      if (dueMs > 0) await sleep(dueMs);
      const ask = typeof asks === "function" ? asks() : asks[n % asks.length];
      if (ask !== undefined) answers.push(send(agent, port, ask).then(onAnswer));
    }
    await Promise.all(answers);
  } finally {
    agent.destroy();
  }
}

function send(agent: Agent, port: number, ask: Ask): Promise<Answer> {
  return new Promise((resolve) => {
    const sentAt = performance.now();
    const fail = (error: Error) =>
      resolve({ ask, status: undefined, headers: {}, body: String(error), sentAt, ms: performance.now() - sentAt });
    const target = { agent, port, host: "127.0.0.1", path: ask.path, headers: ask.headers, timeout: TIMEOUT_MS };
    const request = get(target, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", fail).on("end", () => {
        const { statusCode: status, headers } = response;
        resolve({ ask, status, headers, body, sentAt, ms: performance.now() - sentAt });
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time"))).on("error", fail);
  });
}
