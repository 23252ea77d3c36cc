// The port of `npm run dev`: a reverse proxy in front of wrangler, whose own proxies take whatever comes, until they have
// no files left. What is too much is refused here, before it costs anything.
import { ADDRCONFIG } from "node:dns";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingMessage,
  type OutgoingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { pipeline } from "node:stream";
import { OVERLOADED_RETRY_AFTER_SECONDS } from "../worker/api/failure.ts";
import type { ConcurrencyLimiter } from "../worker/db/limiter.ts";
import { answerFailure, COMMON_HEADERS } from "../worker/gateway/answer.ts";
import type { Failure } from "../worker/shared/errors.ts";
import { REQUEST_ID_HEADER } from "../worker/shared/internal-headers.ts";

export interface FrontOptions {
  /** Each of its addresses is listened on: clients differ in whether they try 127.0.0.1 or ::1 for `localhost`. */
  hostname: string;
  port: number;
  /** The server behind, on plain HTTP. */
  upstream: URL;
  /** Says whether one more request may be under way. What comes beyond is refused. */
  limiter: Pick<ConcurrencyLimiter, "acquire" | "release">;
}

export interface Front {
  /** Ends what is under way, too. */
  close(): Promise<void>;
}

/** RFC 9110, section 7.6.1. Also `Expect`, which the front has met itself. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "expect",
]);
/** Less than the five seconds after which workerd closes a connection. */
const IDLE_MS = 3_000;
/** Queries of the statistics are never refused: an operator looks at them when there are too many requests. */
const STATISTICS = "/analytics_engine/sql";
/** More than workerd takes, or than the Worker does, which refuses in its own words. */
const MAX_HEADER_BYTES = 256 * 1_024;

/** Starts a reverse proxy. @throws Error if the port is taken */
export async function startFront(options: FrontOptions): Promise<Front> {
  const { upstream, limiter } = options;
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS });

  async function answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url: path } = asked;
    const isLimited = !path?.endsWith(STATISTICS);
    const permit = isLimited ? await limiter.acquire() : undefined;
    const release = (outcome: Outcome) => permit && limiter.release(permit, outcome);
    if (isLimited && permit === undefined) return refuse(response, OVERLOADED);
    // The client has hung up meanwhile.
    if (asked.destroyed) return release("unmeasured");
    const { hostname, port } = upstream;
    const passedOn = request({ agent, hostname, port, method, path, setHost: false });
    copyHeaders(asked, passedOn);
    if (asked.headers["transfer-encoding"] !== undefined) passedOn.setHeader("Transfer-Encoding", "chunked");
    response.once("close", () => {
      if (!response.writableFinished) passedOn.destroy();
      release(outcomeOf(response));
    });
    passedOn.on("error", () => response.headersSent || refuse(response, UNREACHABLE));
    passedOn.once("response", (answered) => {
      response.sendDate = false;
      copyHeaders(answered, response);
      response.writeHead(answered.statusCode as number, answered.statusMessage);
      // An answer that is cut off is cut off for the client, too.
      pipeline(answered, response, () => {});
    });
    asked.pipe(passedOn);
  }

  const servers = await Promise.all(
    (await lookup(options.hostname, { all: true, hints: ADDRCONFIG })).map(async ({ address }) => {
      const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, answer).listen(options.port, address);
      await once(server, "listening");
      return server;
    }),
  );
  return {
    async close() {
      for (const server of servers) server.close().closeAllConnections();
      agent.destroy();
    },
  };
}

const OVERLOADED: Failure = { reason: "overloaded", retryAfterSeconds: OVERLOADED_RETRY_AFTER_SECONDS };
const UNREACHABLE: Failure = { reason: "unexpected" };

/** Says it as the Worker would. */
function refuse(response: ServerResponse, failure: Failure): void {
  const requestId = crypto.randomUUID();
  const { status, headers, body } = answerFailure(failure, requestId);
  response.writeHead(status, { ...COMMON_HEADERS, ...headers, [REQUEST_ID_HEADER]: requestId }).end(body);
}

type Outcome = Parameters<ConcurrencyLimiter["release"]>[1];

function outcomeOf({ writableFinished, statusCode }: ServerResponse): Outcome {
  if (statusCode === 503) return "overload";
  return writableFinished ? "measured" : "unmeasured";
}

/** Copies all headers but those that are for the connection. */
function copyHeaders({ headers, rawHeaders }: IncomingMessage, to: OutgoingMessage): void {
  const named = headers.connection?.toLowerCase().split(/[ ,]+/) ?? [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = rawHeaders.slice(i, i + 2) as [string, string];
    const isForConnection = HOP_BY_HOP.has(name.toLowerCase()) || named.includes(name.toLowerCase());
    if (!isForConnection) to.appendHeader(name, value);
  }
}
