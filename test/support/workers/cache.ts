// For `workerd test`: the cache in its runtime, where each request owns its promises, streams and timers. Prints what each
// scenario has come to: its responses, and how often the entrypoint ran.
import { WorkerEntrypoint } from "cloudflare:workers";
import { cached } from "../../../src/local/cache/index.ts";

let arrivals = 0;
let calls = 0;
let isOpen = false;

class Gated extends WorkerEntrypoint {
  override async fetch(_request: Request): Promise<Response> {
    const call = ++calls;
    await until(() => isOpen);
    return new Response(`#${call}`, { headers: { "cache-control": "public, max-age=60", "cache-tag": "all" } });
  }

  async purge(options: CachePurgeOptions): Promise<CachePurgeResult | undefined> {
    return this.ctx.cache?.purge(options);
  }
}

export class Counted extends cached(Gated) {
  override fetch(request: Request): Promise<Response> {
    arrivals++;
    return super.fetch(request);
  }
}

/** The types of `exports` are those of the product's Worker. */
type Exports = Record<"Counted", (options: { props: unknown }) => Service<Gated>>;

/** By a timer: workerd lets no promise settle across requests. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await scheduler.wait(1);
}

export default {
  async test(_controller: unknown, _env: unknown, ctx: ExecutionContext): Promise<void> {
    const exports = ctx.exports as unknown as Exports;
    async function ask(path: string, client = new AbortController()): Promise<string> {
      const { signal } = client;
      try {
        const response = await exports.Counted({ props: {} }).fetch(`https://cache.test/${path}`, { signal });
        return `${response.headers.get("cf-cache-status")} ${await response.text()}`;
      } catch (error) {
        return (error as Error).name;
      }
    }
    async function scenario(name: string, play: (path: string) => Promise<unknown>): Promise<void> {
      arrivals = 0;
      calls = 0;
      isOpen = false;
      console.log(JSON.stringify([name, await play(name), calls]));
    }
    /** Asks as often; the second of the clients, or the first, leaves when all have arrived. */
    async function leave(path: string, leaving: 0 | 1): Promise<string[]> {
      const clients = [new AbortController(), new AbortController(), new AbortController()];
      const responses: Promise<string>[] = [];
      for (const client of clients) {
        responses.push(ask(path, client));
        await until(() => arrivals === responses.length);
      }
      clients[leaving]?.abort();
      await responses[leaving];
      isOpen = true;
      return Promise.all(responses);
    }

    await scenario("many at once", async (path) => {
      const all = Array.from({ length: 200 }, () => ask(path));
      await until(() => arrivals === 200);
      isOpen = true;
      return [...new Set([...(await Promise.all(all)), await ask(path)])].sort();
    });
    await scenario("the first leaves", (path) => leave(path, 0));
    await scenario("one that waits leaves", (path) => leave(path, 1));
    await scenario("a purge", async (path) => {
      isOpen = true;
      const before = await ask(path);
      const { success } = (await exports.Counted({ props: {} }).purge({ tags: ["all"] })) ?? {};
      return [before, success, await ask(path)];
    });
  },
};
