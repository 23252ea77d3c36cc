// The reverse proxy of `npm run dev`, in front of a server that does as each test says.
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type FrontOptions, startFront } from "../../src/local/front.ts";
import type { Permit } from "../../src/worker/db/limiter.ts";
import { isError } from "../support/contract.ts";
import { freePort } from "../support/free-port.ts";

/** Starts both. @returns where to ask */
async function start(upstream: RequestListener, options: Partial<FrontOptions> = {}) {
  const server = createServer(upstream).listen(0, "127.0.0.1");
  await once(server, "listening");
  const hostname = options.hostname ?? "127.0.0.1";
  const port = await freePort(hostname);
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const front = await startFront({ hostname, port, upstream: url, limiter: atMost(10), ...options });
  onTestFinished(async () => {
    await front.close();
    server.close().closeAllConnections();
  });
  return { port, server };
}

/** @param outcomes of all that is released */
function atMost(count: number, outcomes: string[] = []): FrontOptions["limiter"] {
  let running = 0;
  return {
    acquire: async () => (running < count ? { startedAt: running++ } : undefined),
    release(_, outcome) {
      running--;
      outcomes.push(outcome);
    },
  };
}

/** One request on a connection of its own. @returns the response as soon as its headers are there */
async function ask(port: number, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, agent: false, ...options });
  asked.end(body);
  const [response] = await once(asked, "response");
  return response;
}

/** What is no choice of the test. */
const without = (rawHeaders: string[], ...names: string[]) =>
  rawHeaders.filter((_, i) => !names.includes(rawHeaders[i - (i % 2)] as string));

/** The next request that reaches the server. @returns its response, which the test is to write */
const nextAt = async (server: Server): Promise<ServerResponse> => (await once(server, "request"))[1];

test("it passes a request on as it is, and the response", async () => {
  let seen: unknown;
  const { port } = await start(async (asked, response) => {
    const { method, url, rawHeaders } = asked;
    seen = { method, url, headers: without(rawHeaders, "Connection"), body: await text(asked) };
    response.sendDate = false;
    response
      .writeHead(418, "I'm a teapot", ["ETag", '"1"', "Set-Cookie", "a=1", "Set-Cookie", "b=2"])
      .end("short and stout");
  });
  const headers = ["Host", "example.com", "X-Twice", "1", "X-Twice", "2", "Content-Length", "4"];
  const response = await ask(port, { method: "PATCH", path: "/a//b?c=%2F&c", headers }, "body");
  expect(seen).toStrictEqual({ method: "PATCH", url: "/a//b?c=%2F&c", headers, body: "body" });
  expect(response).toMatchObject({ statusCode: 418, statusMessage: "I'm a teapot" });
  expect(without(response.rawHeaders, "Connection", "Transfer-Encoding")).toStrictEqual([
    ...["ETag", '"1"', "Set-Cookie", "a=1", "Set-Cookie", "b=2"],
  ]);
  expect(await text(response)).toBe("short and stout");
});

test.for<[what: string, options: RequestOptions, length: object, body?: string]>([
  ["of unknown length", { method: "DELETE", headers: { "transfer-encoding": "chunked" } }, {}, "body"],
  ["that is not there", { method: "POST" }, { "content-length": "0" }],
])("it passes on a body %s", async ([_, options, length, body]) => {
  const { port } = await start(async (asked, response) =>
    response.end(JSON.stringify({ headers: asked.headers, body: await text(asked) })),
  );
  expect(JSON.parse(await text(await ask(port, options, body)))).toMatchObject({ headers: length, body: body ?? "" });
});

test.for([
  ["HEAD", 200, { "content-length": "1000" }],
  ["GET", 304, { etag: '"1"' }],
] as const)("a response to %s with %d has its headers and no body", async ([method, status, headers]) => {
  const { port } = await start((_, response) => response.writeHead(status, headers).end());
  const response = await ask(port, { method });
  expect(response).toMatchObject({ statusCode: status, headers });
  expect(response.headers).not.toHaveProperty("transfer-encoding");
  expect(await text(response)).toBe("");
});

test("headers for one connection stay there, both ways", async () => {
  let seen: string[] = [];
  const { port } = await start((asked, response) => {
    seen = Object.keys(asked.headers);
    response.writeHead(200, { connection: "x-hop, close", "x-hop": "1", "x-end": "1" }).end();
  });
  const { headers } = await ask(port, { headers: { connection: "X-Hop", "x-hop": "1", te: "trailers", "x-end": "1" } });
  expect(seen.filter((name) => /^x-|^te$/.test(name))).toStrictEqual(["x-end"]);
  expect(Object.keys(headers).filter((name) => name.startsWith("x-"))).toStrictEqual(["x-end"]);
});

test("a part of a response arrives before the rest is there", async () => {
  const { port, server } = await start((_, response) => void response.write("first"));
  const [kept, response] = await Promise.all([nextAt(server), ask(port)]);
  expect(String(await once(response, "data"))).toBe("first");
  kept.end("second");
  expect(await text(response)).toBe("second");
});

test("a client that hangs up ends the request behind, and makes room", async () => {
  const { port, server } = await start(() => {}, { limiter: atMost(1) });
  const asked = request({ host: "127.0.0.1", port, agent: false }).on("error", () => {});
  asked.end();
  const kept = await nextAt(server);
  asked.destroy();
  await once(kept, "close");
  const [, response] = await Promise.all([nextAt(server).then((next) => next.end("next")), ask(port)]);
  expect(await text(response)).toBe("next");
});

test("when there are too many requests under way it refuses, as the Worker would, and then serves again", async () => {
  const kept: ServerResponse[] = [];
  const { port, server } = await start((_, response) => void kept.push(response), { limiter: atMost(2) });
  const served = [ask(port), ask(port)];
  while (kept.length < 2) await nextAt(server);
  const refused = await ask(port, { method: "POST" }, "body");
  expect(refused).toMatchObject({
    statusCode: 503,
    headers: {
      "retry-after": "2",
      "content-type": "application/json",
      "cache-control": "no-store",
      "access-control-allow-origin": "*",
    },
  });
  const body = JSON.parse(await text(refused));
  expect(isError(body), JSON.stringify(isError.errors)).toBe(true);
  expect(body).toMatchObject({
    message: "The service is overloaded.",
    data: { code: refused.headers["x-request-id"] },
  });

  for (const response of kept) response.end();
  for (const response of await Promise.all(served)) expect(response.statusCode).toBe(200);
  const [, response] = await Promise.all([nextAt(server).then((next) => next.end()), ask(port)]);
  expect(response.statusCode).toBe(200);
});

test("it passes on queries of the statistics however many requests are under way", async () => {
  const { port } = await start((_, response) => response.end(), { limiter: atMost(0) });
  expect((await ask(port)).statusCode).toBe(503);
  expect((await ask(port, { path: "/client/v4/accounts/local/analytics_engine/sql" })).statusCode).toBe(200);
});

test("a client that hangs up before its turn is not passed on, and takes nobody's place", async () => {
  const waiting = Promise.withResolvers<void>();
  const given = Promise.withResolvers<Permit>();
  const released = Promise.withResolvers<string>();
  let asked = 0;
  const limiter: FrontOptions["limiter"] = {
    acquire() {
      waiting.resolve();
      return given.promise;
    },
    release: (_, outcome) => released.resolve(outcome),
  };
  const { port } = await start((_, response) => response.end(String(++asked)), { limiter });
  const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await waiting.promise;
  // Its response to this says that the front has seen it.
  client.end().resume();
  await once(client, "end");
  given.resolve({ startedAt: 0 });
  expect([await released.promise, asked]).toStrictEqual(["unmeasured", 0]);
});

test.for([
  ["measured", 404],
  ["overload", 503],
] as const)("a response counts as %s with %d", async ([outcome, status]) => {
  const outcomes: string[] = [];
  const { port } = await start((_, response) => response.writeHead(status).end(), { limiter: atMost(1, outcomes) });
  const response = await ask(port);
  await text(response);
  if (!response.socket.closed) await once(response.socket, "close");
  expect(outcomes).toStrictEqual([outcome]);
});

test("while the server cannot be reached it says so, as the Worker would", async () => {
  const { port, server } = await start(() => {});
  server.close();
  await once(server, "close");
  const response = await ask(port);
  expect(response.statusCode).toBe(500);
  expect(isError(JSON.parse(await text(response)))).toBe(true);
});

test("a response that is cut off is cut off for the client, too", async () => {
  const { port } = await start((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("first", () => response.destroy());
  });
  await expect(text(await ask(port))).rejects.toThrow("aborted");
});

test("it listens on every address of its name, on no other, and asks the server on connections that it keeps", async () => {
  const sockets = new Set<Socket>();
  const upstream: RequestListener = ({ socket }, response) => {
    sockets.add(socket);
    response.end("here");
  };
  const { port } = await start(upstream, { hostname: "localhost" });
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of [...addresses, ...addresses, ...addresses]) {
    expect(await text(await ask(port, { host: address }))).toBe("here");
  }
  expect(sockets.size).toBe(1);
  await expect(ask(port, { host: "127.0.0.2" })).rejects.toThrow("ECONNREFUSED");
});
