// The Worker as tests run it: as `npm run dev` does, with settings and a clock that tests change, and a platform that
// refuses on demand.
import "../../../src/local/loopback.ts";
import { Dataset } from "../../../src/local/analytics/dataset.ts";
import { type CacheFault, cached } from "../../../src/local/cache/index.ts";
import gateway, { Api as UncachedApi } from "../../../src/worker/index.ts";
import { OPERATION_HEADER } from "../../../src/worker/shared/internal-headers.ts";

/** What a test file begins with. */
interface Start {
  /** Instead of the environment's; null unsets one. */
  vars: Record<string, string | null>;
}

interface DirectCall {
  path: string;
  keyHash: string;
  operation?: string;
}

/** The time at which the clock stands, until a test lets it run. */
let stoppedAt = Date.now();
let isRunning = false;
let advancedMs = 0;
let refusal: CachePurgeError | undefined;
let dataset = new Dataset();
let vars: Start["vars"] = {};
/** By the environment that the runtime hands out, one for the life of an isolate: an object for each is what it is, too. */
let environments = new WeakMap<Env, Env>();

const now = (): number => (isRunning ? Date.now() : stoppedAt) + advancedMs;

function environmentOf(given: Env): Env {
  const known = environments.get(given);
  if (known !== undefined) return known;
  // A test may give another dataset in its place.
  const env: Record<string, unknown> = { ...given, ANALYTICS: given.ANALYTICS ?? dataset, ...vars };
  for (const name in env) if (env[name] === null) delete env[name];
  environments.set(given, env as unknown as Env);
  return env as unknown as Env;
}

class Configured extends UncachedApi {
  constructor(ctx: ExecutionContext, env: Env) {
    super(ctx, environmentOf(env));
  }
}

export const Api = cached(Configured, {
  now,
  refusePurge: () => refusal,
  fault: () => (vars.CACHE_FAULT ?? undefined) as CacheFault | undefined,
});

async function begin(start: Start, ctx: ExecutionContext): Promise<void> {
  stoppedAt = Date.now();
  isRunning = false;
  advancedMs = 0;
  refusal = undefined;
  dataset = new Dataset();
  vars = {};
  await ctx.exports.Api({ props: {} }).purge({ purgeEverything: true });
  vars = start.vars;
  environments = new WeakMap();
}

/** From now on a minute takes this isolate three seconds, so that a run of the feed is soon over. */
function hurry(): void {
  const [sleep, clock, since] = [setTimeout, Date.now, Date.now()];
  Date.now = () => since + (clock() - since) * HASTE;
  globalThis.setTimeout = ((work: () => void, ms: number) => sleep(work, ms / HASTE)) as typeof setTimeout;
}

const HASTE = 20;

const COMMANDS: Record<string, (value: never, ctx: ExecutionContext) => unknown> = {
  "/test/begin": begin,
  "/test/advance": (ms: number) => {
    advancedMs += ms;
  },
  "/test/run-clock": () => {
    isRunning = true;
  },
  "/test/refuse-purge": (error: CachePurgeError | null) => {
    refusal = error ?? undefined;
  },
  "/test/ask-api": async ({ path, keyHash, operation }: DirectCall, ctx) => {
    const request = new Request(`https://api${path}`, operation ? { headers: { [OPERATION_HEADER]: operation } } : {});
    // The types of RPC get lost in a Response.
    const api = ctx.exports.Api({ props: { keyHash } }) as { fetchUncached(request: Request): Promise<unknown> };
    return ((await api.fetchUncached(request)) as Response).status;
  },
  "/test/data-points": () => dataset.take(),
  "/test/mark-logs": (mark: string) => {
    // Each has a pipe of its own.
    console.info(mark);
    console.error(mark);
  },
};

export default {
  async fetch(request, env, ctx) {
    const command = COMMANDS[new URL(request.url).pathname];
    if (command !== undefined) return Response.json((await command(await request.json<never>(), ctx)) ?? null);
    return gateway.fetch(request, environmentOf(env), ctx);
  },
  async scheduled(controller, env, ctx) {
    if (!isRunning) hurry();
    await gateway.scheduled(controller, environmentOf(env), ctx);
  },
} satisfies ExportedHandler<Env>;
