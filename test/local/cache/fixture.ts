// A cache in front of a scripted entrypoint, in this process, under a clock that tests move.
import { type CacheOptions, cached } from "../../../src/local/cache/index.ts";
import type { PurgeOptions, PurgeResult } from "../../../src/local/cache/purge.ts";

/** How the entrypoint responds. Its body is the path and the number of the call. */
export interface Reply {
  status?: number;
  control?: string;
  tags?: string;
  body?: string | ReadableStream;
  headers?: Record<string, string>;
}

/** A function may wait, or throw. */
export type Step = Reply | (() => Reply | Promise<Reply>);

export interface RequestOptions {
  method?: string;
  host?: string;
  props?: unknown;
  headers?: Record<string, string>;
}

export const THROWS: Step = () => {
  throw new Error("The database is gone");
};

/** @returns a step that waits until `open` is called */
export function gated(step: Step = {}): { step: Step; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { step: () => promise.then(() => replyOf(step)), open: resolve };
}

const replyOf = (step: Step): Reply | Promise<Reply> => (typeof step === "function" ? step() : step);

/** @param steps the next one first; the last one stays */
export function startCache(steps: readonly Step[] = [{}], options: CacheOptions = {}) {
  let nowMs = Date.UTC(2030, 0, 1);
  let script = [...steps];
  let work: Promise<unknown>[] = [];
  const calls: string[] = [];

  class Scripted {
    readonly ctx: { cache: { purge(what: PurgeOptions): Promise<PurgeResult> } };

    constructor(ctx: Scripted["ctx"]) {
      this.ctx = ctx;
    }

    async fetch({ method, url }: Request): Promise<Response> {
      const { pathname, search } = new URL(url);
      const call = calls.push(`${method} ${pathname}${search}`);
      const step = (script.length > 1 ? script.shift() : script[0]) ?? {};
      const { status = 200, control = "public, max-age=60", tags, body, headers } = await replyOf(step);
      return new Response(body ?? `${pathname} #${call}`, {
        status,
        headers: { ...(control && { "cache-control": control }), ...(tags && { "cache-tag": tags }), ...headers },
      });
    }

    purge(what: PurgeOptions): Promise<PurgeResult> {
      return this.ctx.cache.purge(what);
    }
  }
  const Cached = cached(Scripted, { now: () => nowMs, ...options });
  const entrypoint = (props: unknown) =>
    new Cached({ props, waitUntil: (one: Promise<unknown>) => work.push(one) } as never);

  return {
    calls,
    async get(path = "/", { method = "GET", host = "cache.test", props = {}, headers = {} }: RequestOptions = {}) {
      const response = await entrypoint(props).fetch(new Request(`https://${host}${path}`, { method, headers }));
      const { status, headers: seen } = response;
      const [cache, age] = [seen.get("cf-cache-status"), seen.get("age")];
      return { status, cache, age: age && Number(age), body: await response.text(), headers: seen };
    },
    purge: (what: PurgeOptions) => entrypoint({}).purge(what),
    /** Replaces what is left of the script. */
    reply(...next: Step[]): void {
      script = next;
    },
    pass(seconds: number): void {
      nowMs += 1_000 * seconds;
    },
    /** Waits for the work that goes on after responses. */
    async settle(): Promise<void> {
      for (let pending = work; pending.length > 0; pending = work) {
        work = [];
        await Promise.all(pending);
      }
    },
  };
}
