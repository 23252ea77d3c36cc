// Runs uploads: workerd, with the bindings and behind the cache that the upload asks for, and a network in which
// Neon's host is a local Neon endpoint.
import "../../src/cli/support/quiet.ts";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Upload } from "./cloudflare/upload.ts";
import type { Serving } from "./cloudflare/worker.ts";
import { HOST_HEADER } from "./headers.ts";

export interface EdgeOptions {
  /** What answers the next request to a hostname, which may ask for a version; undefined: nothing does. */
  serving(hostname: string, override: string | undefined): Serving | undefined;
  /** The URL of the Neon endpoint for a connection string; undefined: there is no such host. */
  neonEndpoint(connectionString: string): string | undefined;
}

export interface Edge {
  /** Where {@link ./internet.ts} leads requests for workers.dev. */
  url: string;
  /** Hosts that Workers have asked for, other than Neon's. */
  strayHosts: string[];
  /** The service token that Cloudflare Access lets past to the URLs of versions and previews; undefined: it lets all past. */
  access: { id: string; secret: string } | undefined;
  /** Other hosts that were sent a service token. */
  strayTokens: string[];
  /** Whether a purge ends at the version that makes it. */
  isPurgeOfVersion: boolean;
  /** The lines that Workers have logged. */
  logs: string[];
  close(): Promise<void>;
}

/** The parts of Miniflare that are used here: it comes with wrangler and is no dependency of this project. */
interface Miniflare {
  dispatchFetch(url: string, init: RequestInit): Promise<Response>;
  dispose(): Promise<void>;
}

interface Esbuild {
  build(options: object): Promise<{ outputFiles: { text: string }[] }>;
}

const fromWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler"));
const { Miniflare } = fromWrangler("miniflare") as { Miniflare: new (options: object) => Miniflare };
const esbuild = fromWrangler("esbuild") as Esbuild;

/** Starts it on 127.0.0.1. A Worker starts with its first request. */
export async function startEdge({ serving, neonEndpoint }: EdgeOptions): Promise<Edge> {
  const running = new Map<string, Miniflare>();
  const edge = { access: undefined, isPurgeOfVersion: false } as Pick<Edge, "access" | "isPurgeOfVersion">;
  /** Names of the Workers by the ids of their versions. */
  const workers = new Map<string, string>();
  const strayTokens: string[] = [];
  const strayHosts: string[] = [];
  const logs: string[] = [];
  const folder = mkdtempSync(join(tmpdir(), "process-api-edge-"));
  let cacheModule: Promise<string> | undefined;

  /** Stands between a Worker and the internet. */
  async function network(request: Request): Promise<Response> {
    const endpoint = neonEndpoint(request.headers.get("neon-connection-string") ?? "");
    if (endpoint === undefined) {
      strayHosts.push(new URL(request.url).host);
      return new Response("no such host", { status: 530 });
    }
    const { method, headers } = request;
    return fetch(endpoint, { method, headers: new Headers([...headers]), body: await request.arrayBuffer() });
  }

  async function start({ id, upload }: Serving): Promise<Miniflare> {
    cacheModule ??= bundleCache();
    const config = configFor(upload, await cacheModule, layOutAssets(upload, join(folder, id)));
    Object.assign(config.env, versionBindings(id, upload));
    const miniflare = new Miniflare({
      workers: [{ config, dev: { outboundService: { type: "fetcher", handler: network } } }],
      handleStructuredLogs: ({ message }: { message: string }) => logs.push(message),
    });
    running.set(id, miniflare);
    return miniflare;
  }

  /** Where Access stands in front, a request without its token is sent to the login. */
  function loginFor(hostname: string, headers: Headers): string | undefined {
    const isGuarded = /^[^.]+-process-api\.[^.]+\.workers\.dev$/.test(hostname);
    const given = [headers.get("cf-access-client-id"), headers.get("cf-access-client-secret")];
    if (!isGuarded && given.some((value) => value !== null)) strayTokens.push(hostname);
    const { access } = edge;
    if (!isGuarded || access === undefined || (given[0] === access.id && given[1] === access.secret)) return undefined;
    return `https://example.cloudflareaccess.com/cdn-cgi/access/login/${hostname}`;
  }

  /** The caches of other versions hear of a purge, too. */
  async function passOn(purged: unknown, { id, worker }: Serving): Promise<void> {
    if (edge.isPurgeOfVersion) return;
    for (const [other, miniflare] of running) {
      if (other === id || workers.get(other) !== worker) continue;
      await miniflare.dispatchFetch(`https://${worker}`, {
        method: "POST",
        headers: { [PURGE_HEADER]: String(purged) },
      });
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hostname = String(request.headers[HOST_HEADER]);
    const headers = new Headers(Object.entries(request.headersDistinct).flatMap(pairsOf));
    const location = loginFor(hostname, headers);
    if (location !== undefined) return void response.writeHead(302, { location }).end();
    const served = serving(hostname, OVERRIDE.exec(headers.get("cloudflare-workers-version-overrides") ?? "")?.[1]);
    if (served === undefined) {
      // All of workers.dev has DNS and a certificate; another name has not, as long as nothing is there.
      if (hostname.endsWith(".workers.dev")) response.writeHead(404).end("There is nothing here yet");
      else request.socket.destroy();
      return;
    }
    for (const name of ["host", "connection", HOST_HEADER]) headers.delete(name);
    headers.set("cf-connecting-ip", "192.0.2.1");
    const worker = running.get(served.id) ?? (await start(served));
    workers.set(served.id, served.worker);
    const { method = "GET", url } = request;
    const init = {
      method,
      headers,
      redirect: "manual",
      ...(!["GET", "HEAD"].includes(method) && { body: await buffer(request) }),
    } as const;
    const answered = await worker.dispatchFetch(`https://${hostname}${url}`, init);
    const body = Buffer.from(await answered.arrayBuffer());
    if (url === "/ops/purge" && answered.ok) await passOn(JSON.parse(body.toString()).purged, served);
    response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(body);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(500).end(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The edge has no TCP address");
  return Object.assign(edge, {
    url: `http://127.0.0.1:${address.port}`,
    strayHosts,
    strayTokens,
    logs,
    close: async () => {
      server.close();
      server.closeAllConnections();
      for (const miniflare of running.values()) await miniflare.dispose();
      rmSync(folder, { recursive: true });
    },
  });
}

/** Of a dictionary with one member: `process-api="<id>"`. */
const OVERRIDE = /^process-api="([^"]+)"$/;
/** To a version whose cache another one has purged: the tags. */
const PURGE_HEADER = "x-purged-elsewhere";

const pairsOf = ([name, values]: [string, string[] | undefined]): [string, string][] =>
  (values ?? []).map((value) => [name, value]);

function configFor(upload: Upload, cacheModule: string, assets: object | undefined) {
  const { metadata, modules, bindings } = upload;
  const uploaded = modules
    .filter(({ contentType }) => contentType === "application/javascript+module")
    .map(({ name, content }): [string, object] => [name, { type: "esm", contents: content.toString() }]);
  return {
    name: "uploaded",
    compatibilityDate: metadata.compatibility_date,
    compatibilityFlags: metadata.compatibility_flags ?? [],
    manifest: {
      mainModule: "front.js",
      modules: {
        "front.js": { type: "esm", contents: frontOf(upload) },
        "cache.js": { type: "esm", contents: cacheModule },
        ...Object.fromEntries(uploaded),
      },
    },
    env: Object.fromEntries(bindings.map(localBinding)),
    ...(assets && { assets }),
  };
}

/** Writes the static files of an upload where Miniflare serves them from. */
function layOutAssets({ assets, metadata, modules }: Upload, directory: string): object | undefined {
  if (metadata.assets === undefined) return undefined;
  const { html_handling, not_found_handling, run_worker_first, ...special } = metadata.assets.config;
  const files = new Map<string, string | Buffer>(assets);
  for (const name of ["_headers", "_redirects"] as const) {
    const content = special[name] ?? modules.find((module) => module.name === name)?.content;
    if (content !== undefined) files.set(name, content);
  }
  for (const [path, content] of files) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return {
    directory,
    hasUserWorker: true,
    htmlHandling: html_handling,
    notFoundHandling: not_found_handling,
    runWorkerFirst: run_worker_first,
  };
}

/** A binding as Miniflare calls it. */
function localBinding(binding: Upload["bindings"][number]): [string, object] {
  const { name, type, text, namespace_id: namespace, simple, dataset } = binding;
  switch (type) {
    case "plain_text":
    case "secret_text":
      return [name, { type: "text", value: text }];
    case "ratelimit":
      return [name, { type: "rate-limit", namespace, simple }];
    case "version_metadata":
      // Filled in by versionBindings.
      return [name, { type: "json", value: {} }];
    case "analytics_engine":
      return [name, { type: "analytics-engine-dataset", name: dataset }];
    case "assets":
      return [name, { type: "assets" }];
    default:
      throw new Error(`The stand-in for the edge has no binding of type ${type}`);
  }
}

/** What the platform alone knows of a version: https://developers.cloudflare.com/workers/runtime-apis/bindings/version-metadata/ */
function versionBindings(id: string, { bindings, metadata }: Upload): Record<string, object> {
  const value = { id, tag: metadata.annotations?.["workers/tag"] ?? "", timestamp: "2026-01-01T00:00:00Z" };
  const ours = bindings.filter(({ type }) => type === "version_metadata");
  return Object.fromEntries(ours.map(({ name }) => [name, { type: "json", value }]));
}

/** The main module: the uploaded one, its exports behind a cache where the upload says so. */
function frontOf({ metadata }: Upload): string {
  const { main_module, exports = {} } = metadata;
  const isCachedByDefault = (metadata.cache_options ?? metadata.cache)?.enabled ?? false;
  const isCached = (name: string) => exports[name]?.cache?.enabled ?? isCachedByDefault;
  if (isCached("default")) throw new Error("The stand-in for the edge has no cache in front of the default export");
  const cached = Object.keys(exports).filter((name) => name !== "default" && isCached(name));
  return [
    `import * as uploaded from "./${main_module}";`,
    'import { cached } from "./cache.js";',
    `export * from "./${main_module}";`,
    `export default { ...uploaded.default, async fetch(request, env, ctx) {
      const tags = request.headers.get("${PURGE_HEADER}");
      if (tags === null) return uploaded.default.fetch(request, env, ctx);
      await ctx.exports.Api({ props: {} }).purge({ tags: tags.split(",") });
      return new Response();
    } };`,
    ...cached.map((name) => `export const ${name} = cached(uploaded.${name});`),
  ].join("\n");
}

async function bundleCache(): Promise<string> {
  const { outputFiles } = await esbuild.build({
    entryPoints: [new URL("../../src/local/cache/index.ts", import.meta.url).pathname],
    bundle: true,
    format: "esm",
    external: ["cloudflare:*"],
    write: false,
  });
  return outputFiles.map(({ text }) => text).join("");
}
