// Miniflare, which runs a Worker in workerd: it comes with wrangler and is no dependency of this project.
import { createRequire } from "node:module";

/** The parts of it that are used. */
export interface Miniflare {
  /** Where the Worker is, once it has started. */
  ready: Promise<URL>;
  dispatchFetch(url: string, init: RequestInit): Promise<Response>;
  getWorker(): Promise<{ scheduled(event: object): Promise<unknown> }>;
  dispose(): Promise<void>;
}

const fromWrangler = createRequire(createRequire(import.meta.url).resolve("wrangler"));
export const { Miniflare } = fromWrangler("miniflare") as { Miniflare: new (options: object) => Miniflare };

/** The files of a Worker, as Miniflare's configuration has them. */
export const assetsOf = (directory: string, assets: Record<string, unknown>): object => ({
  directory,
  hasUserWorker: true,
  htmlHandling: assets.html_handling,
  notFoundHandling: assets.not_found_handling,
  runWorkerFirst: assets.run_worker_first,
});
