// Runs what was uploaded: workerd, with the bindings and behind the cache that the upload asks for, in a network in which
// Neon's hosts are one local Neon endpoint.
import "../../src/node/quiet.ts";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { assetsOf, Miniflare } from "../support/miniflare.ts";
import type { Binding, Version } from "./cloudflare.ts";

export class Workerd {
  /** The lines that Workers have logged. */
  readonly logs: string[] = [];
  /** Hosts that Workers have asked for, other than Neon's. */
  readonly strayHosts: string[] = [];
  readonly #running = new Map<string, Miniflare>();
  readonly #folder: string = mkdtempSync(join(tmpdir(), "process-api-workerd-"));
  readonly #neon: string;

  /** @param neon URL of the Neon endpoint */
  constructor(neon: string) {
    this.#neon = neon;
  }

  /** A version starts with its first request. */
  async serve(version: Version, request: Request): Promise<Response> {
    const worker = this.#running.get(version.id) ?? (await this.#start(version));
    const { url, method } = request;
    const headers = new Headers([...request.headers, ["cf-connecting-ip", "192.0.2.1"]]);
    const body = request.body === null ? null : await request.arrayBuffer();
    const response = await worker.dispatchFetch(url, { method, headers, body, redirect: "manual" });
    // A purge reaches all versions: the others begin anew, with nothing cached.
    if (url.endsWith("/ops/purge")) await this.close(version.id);
    const { status } = response;
    return new Response(status === 304 ? null : await response.arrayBuffer(), {
      status,
      headers: [...response.headers],
    });
  }

  /** Begins what the cron trigger begins each minute. It ends with the version. */
  async runScheduled(version: Version): Promise<void> {
    const worker = this.#running.get(version.id) ?? (await this.#start(version));
    const target = await worker.getWorker();
    void target.scheduled({ cron: "* * * * *" }).catch(() => {});
  }

  /** Stops all but one. */
  async close(kept?: string): Promise<void> {
    for (const [id, worker] of this.#running) {
      if (id === kept) continue;
      this.#running.delete(id);
      await worker.dispose();
    }
    if (kept === undefined) rmSync(this.#folder, { recursive: true });
  }

  async #start(version: Version): Promise<Miniflare> {
    const { main_module, exports = {}, compatibility_date, compatibility_flags, assets } = version.metadata;
    const cached = Object.entries(exports).flatMap(([name, { cache }]) => (cache?.enabled ? [name] : []));
    const front = [
      `import * as uploaded from "./${main_module}";`,
      'import { cached } from "./cache.js";',
      `export * from "./${main_module}";`,
      "export default uploaded.default;",
      ...cached.map((name) => `export const ${name} = cached(uploaded.${name});`),
    ].join("\n");
    const text = (name: string) => version.modules.find((file) => file.name === name)?.text();
    const sources = { "front.js": front, "cache.js": await bundleCache(), [main_module]: await text(main_module) };
    const modules = Object.entries(sources).map(([name, contents]) => [name, { type: "esm", contents }]);

    const special: Record<string, unknown> = assets?.config ?? {};
    const directory = join(this.#folder, version.id);
    const files = version.assets.map(([path, base64]) => [path, Buffer.from(base64, "base64").toString()]);
    for (const name of ["_headers", "_redirects"])
      files.push([name, String(special[name] ?? (await text(name)) ?? "")]);
    for (const [path = "", content = ""] of files) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    const config = {
      name: "uploaded",
      compatibilityDate: compatibility_date,
      compatibilityFlags: compatibility_flags ?? [],
      manifest: { mainModule: "front.js", modules: Object.fromEntries(modules) },
      env: Object.fromEntries(version.bindings.map((one) => [one.name, BINDINGS[one.type]?.(one, version)])),
      assets: assetsOf(directory, special),
    };
    const handler = (request: Request) => this.#network(request);
    const worker = new Miniflare({
      workers: [{ config, dev: { outboundService: { type: "fetcher", handler } } }],
      handleStructuredLogs: ({ message }: { message: string }) => this.logs.push(message),
    });
    this.#running.set(version.id, worker);
    return worker;
  }

  /** Stands between a Worker and the internet. */
  async #network(request: Request): Promise<Response> {
    const { method, headers, url } = request;
    if (/-pooler\.us-east-2\.aws\.neon\.tech\//.test(headers.get("neon-connection-string") ?? "")) {
      return fetch(this.#neon, { method, headers: new Headers([...headers]), body: await request.arrayBuffer() });
    }
    this.strayHosts.push(new URL(url).host);
    return new Response("no such host", { status: 530 });
  }
}

/** Bindings as Miniflare calls them, by their type. */
const BINDINGS: Record<string, (binding: Binding, version: Version) => object> = {
  plain_text: ({ text }) => ({ type: "text", value: text }),
  secret_text: ({ text }) => ({ type: "text", value: text }),
  ratelimit: ({ namespace_id, simple }) => ({ type: "rate-limit", namespace: namespace_id, simple }),
  analytics_engine: ({ dataset }) => ({ type: "analytics-engine-dataset", name: dataset }),
  assets: () => ({ type: "assets" }),
  version_metadata: (_, { id }) => ({ type: "json", value: { id, tag: "", timestamp: "2026-01-01T00:00:00Z" } }),
};

async function bundleCache(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ["src/local/cache/index.ts"],
    bundle: true,
    format: "esm",
    external: ["cloudflare:*"],
    write: false,
  });
  return outputFiles.map(({ text }) => text).join("");
}
