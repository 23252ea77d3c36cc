// The reverse proxy of `npm run dev`, in front of a server that does as each test says.
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  request,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
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

function atMost(count: number): FrontOptions["limiter"] {
  const running = new Set<Permit>();
  return {
    async acquire() {
      if (running.size >= count) return undefined;
      const permit = { startedAt: 0 };
      running.add(permit);
      return permit;
    },
    release: (permit) => void running.delete(permit),
  };
}

/** One request on a connection of its own. @returns the answer as soon as its headers are there */
async function ask(port: number, options: RequestOptions = {}, body?: string): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, agent: false, ...options });
  asked.end(body);
  const [response] = await once(asked, "response");
  return response;
}

/** What is no choice of the test. */
const without = (rawHeaders: string[], ...names: string[]) =>
  rawHeaders.filter((_, i) => !names.includes(rawHeaders[i - (i % 2)] as string));

/** A server that keeps requests until the test answers them. */
function keeping() {
  const kept: ServerResponse[] = [];
  let arrived: () => void = () => {};
  return {
    listener: ((_, response) => {
      kept.push(response);
      arrived();
    }) satisfies RequestListener,
    async untilArrived(count: number): Promise<ServerResponse[]> {
      while (kept.length < count) await new Promise<void>((resolve) => (arrived = resolve));
      return kept;
    },
  };
}

test("it passes a request on as it is, and the answer", async () => {
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
  const answer = await ask(port, { method: "PATCH", path: "/a//b?c=%2F&c", headers }, "body");
  expect(seen).toStrictEqual({ method: "PATCH", url: "/a//b?c=%2F&c", headers, body: "body" });
  expect(answer.statusCode).toBe(418);
  expect(answer.statusMessage).toBe("I'm a teapot");
  expect(without(answer.rawHeaders, "Connection", "Transfer-Encoding")).toStrictEqual([
    ...["ETag", '"1"', "Set-Cookie", "a=1", "Set-Cookie", "b=2"],
  ]);
  expect(await text(answer)).toBe("short and stout");
});

test("it passes on a body of unknown length, whatever the method", async () => {
  const { port } = await start(async (asked, response) => response.end(await text(asked)));
  const answer = await ask(port, { method: "DELETE", headers: { "transfer-encoding": "chunked" } }, "body");
  expect(await text(answer)).toBe("body");
});

test("a request without a body has none for the server, either", async () => {
  const { port } = await start((asked, response) => response.end(JSON.stringify(asked.headers)));
  const answer = await ask(port, { method: "POST" });
  expect(JSON.parse(await text(answer))).toMatchObject({ "content-length": "0" });
});

test.for([
  ["HEAD", 200, { "content-length": "1000" }],
  ["GET", 304, { etag: '"1"' }],
] as const)("an answer to %s with %d has its headers and no body", async ([method, status, headers]) => {
  const { port } = await start((_, response) => response.writeHead(status, headers).end());
  const answer = await ask(port, { method });
  expect(answer.statusCode).toBe(status);
  expect(answer.headers).toMatchObject(headers);
  expect(answer.headers).not.toHaveProperty("transfer-encoding");
  expect(await buffer(answer)).toHaveLength(0);
});

test("headers for one connection stay there, both ways", async () => {
  let seen: string[] = [];
  const { port } = await start((asked, response) => {
    seen = Object.keys(asked.headers);
    response.writeHead(200, { connection: "x-hop, close", "x-hop": "1", "x-end": "1" }).end();
  });
  const { headers } = await ask(port, { headers: { connection: "X-Hop", "x-hop": "1", te: "trailers", "x-end": "1" } });
  expect(seen).toContain("x-end");
  expect(seen).not.toContain("x-hop");
  expect(seen).not.toContain("te");
  expect(headers).toHaveProperty("x-end");
  expect(headers).not.toHaveProperty("x-hop");
});

test("a part of an answer arrives before the rest is there", async () => {
  const { listener, untilArrived } = keeping();
  const { port } = await start(listener);
  const asked = ask(port);
  const [response] = await untilArrived(1);
  response?.write("first");
  const answer = await asked;
  const [first] = await once(answer, "data");
  expect(String(first)).toBe("first");
  response?.end("second");
  expect(await text(answer)).toBe("second");
});

test("a client that hangs up ends the request behind, and makes room", async () => {
  const { listener, untilArrived } = keeping();
  const { port } = await start(listener, { limiter: atMost(1) });
  const asked = request({ host: "127.0.0.1", port, agent: false }).end();
  asked.on("error", () => {});
  const [response] = await untilArrived(1);
  asked.destroy();
  await once(response as ServerResponse, "close");
  const next = ask(port);
  (await untilArrived(2))[1]?.end("next");
  expect(await text(await next)).toBe("next");
});

test("when there are too many requests under way it refuses, as the Worker would, and then serves again", async () => {
  const { listener, untilArrived } = keeping();
  const { port } = await start(listener, { limiter: atMost(2) });
  const served = [ask(port), ask(port)];
  const kept = await untilArrived(2);
  const refused = await ask(port, { method: "POST" }, "body");
  expect(refused.statusCode).toBe(503);
  expect(refused.headers).toMatchObject({
    "retry-after": "2",
    "content-type": "application/json",
    "cache-control": "no-store",
    "access-control-allow-origin": "*",
  });
  const body = JSON.parse(await text(refused));
  expect(isError(body), JSON.stringify(isError.errors)).toBe(true);
  expect(body.message).toBe("The service is overloaded.");
  expect(body.data.code).toBe(refused.headers["x-request-id"]);

  for (const response of kept) response.end();
  for (const answer of await Promise.all(served)) expect(answer.statusCode).toBe(200);
  const next = ask(port);
  (await untilArrived(3))[2]?.end();
  expect((await next).statusCode).toBe(200);
});

test("it passes on queries of the statistics however many requests are under way", async () => {
  const { port } = await start((_, response) => response.end(), { limiter: atMost(0) });
  expect((await ask(port)).statusCode).toBe(503);
  expect((await ask(port, { path: "/client/v4/accounts/local/analytics_engine/sql" })).statusCode).toBe(200);
});

test("a client that hangs up before its turn is not passed on, and takes nobody's place", async () => {
  let give: (permit: Permit) => void = () => {};
  let wait: () => void = () => {};
  let release: (outcome: string) => void = () => {};
  const waiting = new Promise<void>((resolve) => (wait = resolve));
  const released = new Promise<string>((resolve) => (release = resolve));
  let asked = 0;
  const limiter: FrontOptions["limiter"] = {
    acquire() {
      wait();
      return new Promise((resolve) => (give = resolve));
    },
    release: (_, outcome) => release(outcome),
  };
  const { port } = await start((_, response) => response.end(String(++asked)), { limiter });
  const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await waiting;
  // Its answer to this says that the front has seen it.
  client.end().resume();
  await once(client, "end");
  give({ startedAt: 0 });
  expect(await released).toBe("unmeasured");
  expect(asked).toBe(0);
});

test.for([
  ["measured", 404],
  ["overload", 503],
] as const)("an answer counts as %s with %d", async ([outcome, status]) => {
  const outcomes: string[] = [];
  const limiter: FrontOptions["limiter"] = { ...atMost(1), release: (_, one) => outcomes.push(one) };
  const { port } = await start((_, response) => response.writeHead(status).end(), { limiter });
  const answer = await ask(port);
  await text(answer);
  if (!answer.socket.closed) await once(answer.socket, "close");
  expect(outcomes).toStrictEqual([outcome]);
});

test("while the server is away it says so, as the Worker would", async () => {
  const { port, server } = await start(() => {});
  server.close();
  await once(server, "close");
  const answer = await ask(port);
  expect(answer.statusCode).toBe(500);
  expect(isError(JSON.parse(await text(answer)))).toBe(true);
});

test("an answer that is cut off is cut off for the client, too", async () => {
  const { port } = await start((_, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("first", () => response.destroy());
  });
  await expect(text(await ask(port))).rejects.toThrow("aborted");
});

test("it asks the server on connections that it keeps", async () => {
  const sockets = new Set<Socket>();
  const { port } = await start(({ socket }, response) => {
    sockets.add(socket);
    response.end();
  });
  for (let n = 0; n < 5; n++) await text(await ask(port));
  expect(sockets.size).toBe(1);
});

test("it listens on every address of its name, and on no other", async () => {
  const { port } = await start((_, response) => response.end("here"), { hostname: "localhost" });
  const addresses = await lookup("localhost", { all: true });
  for (const { address } of addresses) expect(await text(await ask(port, { host: address }))).toBe("here");
  await expect(ask(port, { host: "127.0.0.2" })).rejects.toThrow("ECONNREFUSED");
});
