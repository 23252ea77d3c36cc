// A Worker for the tests of the cache: its entrypoints answer as a test has scripted, under a clock that a test moves.
// The default export carries out the test's commands and reports what came back.
import { WorkerEntrypoint } from "cloudflare:workers";
import { type CacheOptions, cached } from "../../../src/local/cache/index.ts";
import type { Call, Command, EntrypointName, Reply, RequestSpec, Seen } from "./cache-protocol.ts";

let clockMs = Date.UTC(2030, 0, 1);
let version = "v1";
let refusal: CachePurgeError | undefined;
/** Replies by path, the next one first. */
const scripts = new Map<string, Reply[]>();
const calls = new Map<string, Call[]>();
/** Requests that have reached a cache, by path. */
const arrivals = new Map<string, number>();
const openGates = new Set<string>();
/** Pieces of work that go on after an answer. */
let pending = 0;

const PATIENCE_MS = 20_000;

/** Waits for what another request brings about. By a timer: workerd lets no promise settle across requests. */
async function until(holds: () => boolean): Promise<void> {
  for (let waitedMs = 0; !holds(); waitedMs++) {
    if (waitedMs > PATIENCE_MS) throw new Error(`Waited in vain: ${holds}`);
    await scheduler.wait(1);
  }
}

class Scripted extends WorkerEntrypoint<unknown, unknown> {
  override async fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const called = callsOf(pathname);
    called.push({ method: request.method, path: pathname + search, headers: Object.fromEntries(request.headers) });
    const body = `${pathname} #${called.length}`;
    const script = scripts.get(pathname) ?? [];
    const reply = (script.length > 1 ? script.shift() : script[0]) ?? {};
    const { gate } = reply;
    if (reply.takesTime) await scheduler.wait(1);
    if (gate !== undefined) await until(() => openGates.has(gate));
    if (reply.throws !== undefined) throw new Error(reply.throws);
    return respond({ body, ...reply }, request);
  }

  call(): number {
    callsOf("rpc").push({ method: "RPC", path: "rpc", headers: {} });
    return callsOf("rpc").length;
  }

  async purge(options: CachePurgeOptions): Promise<CachePurgeResult | undefined> {
    return this.ctx.cache?.purge(options);
  }

  async invalidate(options: CachePurgeOptions): Promise<CachePurgeResult | undefined> {
    return this.ctx.cache?.invalidate(options);
  }
}

function callsOf(path: string): Call[] {
  const known = calls.get(path) ?? [];
  calls.set(path, known);
  return known;
}

function respond(reply: Reply, request: Request): Response {
  const headers = new Headers(reply.headers);
  const condition = request.headers.get("if-none-match");
  if (reply.validates && condition !== null && condition === headers.get("etag")) {
    return new Response(null, { status: 304, headers });
  }
  if (reply.notModified !== undefined && (condition ?? request.headers.get("if-modified-since")) !== null) {
    return new Response(null, { status: 304, headers: reply.notModified });
  }
  const { status = 200, body = "" } = reply;
  if (status === 101) return new Response(null, { status, headers, webSocket: openSocket() });
  if (status === 204 || status === 304) return new Response(null, { status, headers });
  const init: ResponseInit = { status, headers, ...(reply.encoded ? { encodeBody: "manual" } : {}) };
  if (reply.chunks !== undefined) return new Response(streamOf(reply.chunks, reply.breaks ?? false), init);
  return new Response(reply.encoded ? Uint8Array.fromBase64(body) : body, init);
}

function streamOf(chunks: NonNullable<Reply["chunks"]>, breaks: boolean): ReadableStream {
  const { readable, writable } = new TransformStream<Uint8Array>();
  async function write(): Promise<void> {
    const writer = writable.getWriter();
    for (const chunk of chunks) {
      if (typeof chunk === "string") await writer.write(new TextEncoder().encode(chunk));
      else await until(() => openGates.has(chunk.gate));
    }
    if (breaks) await writer.abort(new Error("The stream broke off"));
    else await writer.close();
  }
  // A reader who leaves makes writing fail.
  void write().catch(() => {});
  return readable;
}

function openSocket(): WebSocket {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  return client;
}

/** Wraps the cache: counts what reaches it and knows of its work after answers. */
function observed(options: CacheOptions): typeof Scripted {
  return class extends cached(Scripted, { now: () => clockMs, ...options }) {
    constructor(ctx: ExecutionContext, env: unknown) {
      const waitUntil = ctx.waitUntil.bind(ctx);
      const track = (work: Promise<unknown>) => {
        pending += 1;
        const done = () => {
          pending -= 1;
        };
        work.then(done, done);
        waitUntil(work);
      };
      Object.defineProperty(ctx, "waitUntil", { value: track });
      super(ctx, env);
    }

    override fetch(request: Request): Promise<Response> {
      const { pathname } = new URL(request.url);
      arrivals.set(pathname, (arrivals.get(pathname) ?? 0) + 1);
      return super.fetch(request);
    }
  };
}

export const Fixture = observed({ refusePurge: () => refusal });
export const Twin = observed({});
export const Limited = observed({});
export const Versioned = observed({ version: () => version });
export const Impatient = observed({ maxWaitMs: 1 });
export const Small = observed({ maxBytes: 45_000, maxObjectBytes: 10_000 });

type Exports = Record<string, (options: { props: unknown }) => Service<Scripted>>;

export default {
  async fetch(request, _env, ctx) {
    // The types of `exports` are those of the product's Worker, not of this one.
    const exports = ctx.exports as unknown as Exports;
    if (request.method === "GET") return forward(request, exports);
    const answer = await carryOut(await request.json<Command>(), exports);
    return Response.json(answer ?? null);
  },
} satisfies ExportedHandler;

/** For tests that look at a response while it is on its way. */
function forward(request: Request, exports: Exports): Promise<Response> {
  const { pathname } = new URL(request.url);
  return entrypointOf(exports, "Fixture").fetch(`https://cache.test${pathname}`);
}

function entrypointOf(exports: Exports, name: EntrypointName, props: unknown = {}): Service<Scripted> {
  const entrypoint = exports[name];
  if (entrypoint === undefined) throw new Error(`No entrypoint ${name}`);
  return entrypoint({ props });
}

async function carryOut(command: Command, exports: Exports): Promise<unknown> {
  switch (command.do) {
    case "request":
      return send(
        command.request,
        entrypointOf(exports, command.request.entrypoint ?? "Fixture", propsOf(command.request)),
      );
    case "wrap":
      return wrap(command.options, command.hasFetch);
    case "burst":
      return burst(command.request, command.times, exports);
    case "leave": {
      const client = new AbortController();
      const entrypoint = entrypointOf(exports, command.request.entrypoint ?? "Fixture", propsOf(command.request));
      const answer = send(command.request, entrypoint, client.signal).catch(() => "left");
      await until(() => (arrivals.get(command.request.path) ?? 0) >= command.arrivals);
      client.abort();
      return answer;
    }
    case "script":
      scripts.set(command.path, command.replies);
      return;
    case "pass":
      clockMs += command.ms;
      return;
    case "calls":
      return callsOf(command.path);
    case "await":
      return until(
        () =>
          (arrivals.get(command.path) ?? 0) >= (command.arrivals ?? 0) &&
          callsOf(command.path).length >= (command.calls ?? 0),
      );
    case "settle":
      return until(() => pending === 0);
    case "open":
      openGates.add(command.gate);
      return;
    case "purge":
    case "invalidate":
      return entrypointOf(exports, command.entrypoint, command.props)[command.do](command.options);
    case "rpc":
      return entrypointOf(exports, "Fixture").call();
    case "refuse":
      refusal = command.error ?? undefined;
      return;
    case "deploy":
      version = command.version;
      return;
    case "all": {
      const answers: unknown[] = [];
      for (const each of command.commands) {
        answers.push((await carryOut(each, exports).catch(({ message }: Error) => ({ error: message }))) ?? null);
      }
      return answers;
    }
  }
}

function wrap(options: CacheOptions, hasFetch: boolean): string {
  try {
    cached(hasFetch ? Scripted : class extends WorkerEntrypoint {}, options);
    return "wrapped";
  } catch (error) {
    return String(error);
  }
}

async function burst(spec: RequestSpec, times: number, exports: Exports): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {};
  const entrypoint = entrypointOf(exports, spec.entrypoint ?? "Fixture", propsOf(spec));
  const sendOne = async () => {
    const outcome = await send(spec, entrypoint).then(
      ({ headers }) => headers["cf-cache-status"] ?? "none",
      ({ message }: Error) => message,
    );
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: times }, sendOne));
  return outcomes;
}

function propsOf({ props = {}, oddProps }: RequestSpec): unknown {
  if (oddProps === undefined) return props;
  return { tenants: new Map([[oddProps, true]]) };
}

async function send(spec: RequestSpec, entrypoint: Service<Scripted>, signal?: AbortSignal): Promise<Seen> {
  const { host = "cache.test", path, method = "GET", headers = {}, cf } = spec;
  const response = await entrypoint.fetch(`https://${host}${path}`, {
    method,
    headers,
    redirect: "manual",
    ...(cf === undefined ? {} : { cf }),
    ...(signal === undefined ? {} : { signal }),
  });
  const isWebSocket = response.webSocket !== null;
  response.webSocket?.accept();
  response.webSocket?.close();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: isWebSocket ? "" : await response.text(),
    isWebSocket,
  };
}
