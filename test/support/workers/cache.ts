// For `workerd test`: clients that leave, in the runtime where each request owns its promises, streams and timers. Prints what
// three requests for one response come to, and how often the entrypoint ran.
import { WorkerEntrypoint } from "cloudflare:workers";
import { cached } from "../../../src/local/cache/index.ts";

let arrivals = 0;
let calls = 0;
let isOpen = false;

class Gated extends WorkerEntrypoint {
  override async fetch(_request: Request): Promise<Response> {
    const call = ++calls;
    await until(() => isOpen);
    return new Response(`#${call}`, { headers: { "cache-control": "public, max-age=60" } });
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
    const { Counted } = ctx.exports as unknown as Exports;
    for (const leaving of [undefined, 0, 1]) {
      arrivals = calls = 0;
      isOpen = false;
      const clients = [new AbortController(), new AbortController(), new AbortController()];
      const outcomes: Promise<string>[] = [];
      for (const { signal } of clients) {
        const asked = Counted({ props: {} }).fetch(`https://cache.test/${leaving}`, { signal });
        outcomes.push(
          asked.then(
            async (response) => `${response.headers.get("cf-cache-status")} ${await response.text()}`,
            ({ name }: Error) => name,
          ),
        );
        await until(() => arrivals === outcomes.length);
      }
      if (leaving !== undefined) {
        clients[leaving]?.abort();
        await outcomes[leaving];
      }
      isOpen = true;
      console.log(JSON.stringify([...(await Promise.all(outcomes)), calls]));
    }
  },
};
