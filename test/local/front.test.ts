// The reverse proxy of `npm run dev`, in front of a server that does as each test says.
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type FrontOptions, startFront } from "../../src/local/front.ts";
import type { Permit } from "../../src/worker/db/limiter.ts";
import { isError } from "../support/contract.ts";
import { freePort } from "../support/free-port.ts";

/** Starts both. @returns what a test needs to ask the front, and to respond for the server */
async function start(upstream: http.RequestListener, options: Partial<FrontOptions> = {}) {
  const server = http.createServer(upstream).listen(0, "127.0.0.1");
  await once(server, "listening");
  const hostname = options.hostname ?? "127.0.0.1";
  const port = await freePort(hostname);
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const front = await startFront({ hostname, port, upstream: url, limiter: atMost(10), ...options });
  onTestFinished(async () => {
    await front.close();
    server.close().closeAllConnections();
  });
  /** One request on a connection of its own. */
  const send = (asked: http.RequestOptions = {}, body?: string) =>
    http.request({ host: "127.0.0.1", port, agent: false, ...asked }).end(body);
  return {
    ...{ server, port, send },
    /** @returns the response as soon as its headers are there */
    async ask(...asked: Parameters<typeof send>): Promise<http.IncomingMessage> {
      return (await once(send(...asked), "response"))[0];
    },
    /** The next request that reaches the server. @returns its response, which the test is to write */
    next: async (): Promise<http.ServerResponse> => (await once(server, "request"))[1],
  };
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

/** What is no choice of the test. */
const without = (rawHeaders: string[], ...names: string[]) =>
  rawHeaders.filter((_, i) => !names.includes(rawHeaders[i - (i % 2)] as string));

test("it passes a request on as it is, and the response", async () => {
  let seen: unknown;
  const sent = ["ETag", '"1"', "Set-Cookie", "a=1", "Set-Cookie", "b=2"];
  const { ask } = await start(async (asked, response) => {
    const { method, url, rawHeaders } = asked;
    seen = { method, url, headers: without(rawHeaders, "Connection"), body: await text(asked) };
    response.sendDate = false;
    response.writeHead(418, "I'm a teapot", sent).end("short and stout");
  });
  const headers = ["Host", "example.com", "X-Twice", "1", "X-Twice", "2", "Content-Length", "4"];
  const response = await ask({ method: "PATCH", path: "/a//b?c=%2F&c", headers }, "body");
  expect(seen).toStrictEqual({ method: "PATCH", url: "/a//b?c=%2F&c", headers, body: "body" });
  expect(response).toMatchObject({ statusCode: 418, statusMessage: "I'm a teapot" });
  expect(without(response.rawHeaders, "Connection", "Transfer-Encoding")).toStrictEqual(sent);
  expect(await text(response)).toBe("short and stout");
});

test.for<[what: string, options: http.RequestOptions, length: object, body?: string]>([
  ["of unknown length", { method: "DELETE", headers: { "transfer-encoding": "chunked" } }, {}, "body"],
  ["that is not there", { method: "POST" }, { "content-length": "0" }],
])("it passes on a body %s", async ([_, options, length, body]) => {
  const { ask } = await start(async (asked, response) =>
    response.end(JSON.stringify({ headers: asked.headers, body: await text(asked) })),
  );
  expect(JSON.parse(await text(await ask(options, body)))).toMatchObject({ headers: length, body: body ?? "" });
});

test.for([
  ["HEAD", 200, { "content-length": "1000" }],
  ["GET", 304, { etag: '"1"' }],
] as const)("a response to %s with %d has its headers and no body", async ([method, status, headers]) => {
  const { ask } = await start((_, response) => response.writeHead(status, headers).end());
  const response = await ask({ method });
  expect(response).toMatchObject({ statusCode: status, headers });
  expect(response.headers).not.toHaveProperty("transfer-encoding");
  expect(await text(response)).toBe("");
});

test("headers for one connection stay there, both ways", async () => {
  let seen: string[] = [];
  const { ask } = await start((asked, response) => {
    seen = Object.keys(asked.headers);
    response.writeHead(200, { connection: "x-hop, close", "x-hop": "1", "x-end": "1" }).end();
  });
  const { headers } = await ask({ headers: { connection: "X-Hop", "x-hop": "1", te: "trailers", "x-end": "1" } });
  expect(seen.filter((name) => /^x-|^te$/.test(name))).toStrictEqual(["x-end"]);
  expect(Object.keys(headers).filter((name) => name.startsWith("x-"))).toStrictEqual(["x-end"]);
});

test("a part of a response arrives before the rest is there", async () => {
  const { ask, next } = await start((_, response) => void response.write("first"));
  const [kept, response] = await Promise.all([next(), ask()]);
  expect(String(await once(response, "data"))).toBe("first");
  kept.end("second");
  expect(await text(response)).toBe("second");
});

test("a client that hangs up ends the request behind, and makes room", async () => {
  const { ask, next, send } = await start(() => {}, { limiter: atMost(1) });
  const asked = send().on("error", () => {});
  const kept = await next();
  asked.destroy();
  await once(kept, "close");
  const [, response] = await Promise.all([next().then((last) => last.end("next")), ask()]);
  expect(await text(response)).toBe("next");
});

test("when there are too many requests under way it refuses, as the Worker would, and then serves again", async () => {
  const kept: http.ServerResponse[] = [];
  const { ask, next } = await start((_, response) => void kept.push(response), { limiter: atMost(2) });
  const served = [ask(), ask()];
  while (kept.length < 2) await next();
  const refused = await ask({ method: "POST" }, "body");
  const headers = { "retry-after": "2", "content-type": "application/json", "cache-control": "no-store" };
  expect(refused).toMatchObject({ statusCode: 503, headers: { ...headers, "access-control-allow-origin": "*" } });
  const body = JSON.parse(await text(refused));
  expect(isError(body), JSON.stringify(isError.errors)).toBe(true);
  const data = { code: refused.headers["x-request-id"] };
  expect(body).toMatchObject({ message: "The service is overloaded.", data });
  for (const response of kept) response.end();
  for (const response of await Promise.all(served)) expect(response.statusCode).toBe(200);
  const [, response] = await Promise.all([next().then((last) => last.end()), ask()]);
  expect(response.statusCode).toBe(200);
});

test("it passes on queries of the statistics however many requests are under way", async () => {
  const { ask } = await start((_, response) => response.end(), { limiter: atMost(0) });
  expect((await ask()).statusCode).toBe(503);
  expect((await ask({ path: "/client/v4/accounts/local/analytics_engine/sql" })).statusCode).toBe(200);
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
  const { ask } = await start((_, response) => response.writeHead(status).end(), { limiter: atMost(1, outcomes) });
  const response = await ask();
  await text(response);
  if (!response.socket.closed) await once(response.socket, "close");
  expect(outcomes).toStrictEqual([outcome]);
});

test("while the server cannot be reached it says so, as the Worker would", async () => {
  const { ask, server } = await start(() => {});
  await once(server.close(), "close");
  const response = await ask();
  expect([response.statusCode, isError(JSON.parse(await text(response)))]).toStrictEqual([500, true]);
});

test("a response that is cut off is cut off for the client, too", async () => {
  const { ask } = await start((_, response) => {
    response.writeHead(200, { "content-length": "1000" }).write("first", () => response.destroy());
  });
  await expect(text(await ask())).rejects.toThrow("aborted");
});

test("it listens on every address of its name, on no other, and asks the server on connections that it keeps", async () => {
  const sockets = new Set<Socket>();
  const upstream: http.RequestListener = ({ socket }, response) => sockets.add(socket) && response.end("here");
  const { ask } = await start(upstream, { hostname: "localhost" });
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of [...addresses, ...addresses, ...addresses]) {
    expect(await text(await ask({ host: address }))).toBe("here");
  }
  expect(sockets.size).toBe(1);
  await expect(ask({ host: "127.0.0.2" })).rejects.toThrow("ECONNREFUSED");
});
