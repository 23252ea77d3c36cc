// Starts the fixture Worker of the tests of the cache and speaks to it.
import { createTestHarness } from "wrangler";
import type {
  Call,
  Command,
  EntrypointName,
  PurgeOutcome,
  PurgeSpec,
  Reply,
  RequestSpec,
  Seen,
} from "../../support/workers/cache-protocol.ts";

/** A response, with what the cache says of it at hand. */
export interface Answer extends Seen {
  /** Cf-Cache-Status. */
  cache: string | undefined;
  /** Age in seconds. */
  age: number | undefined;
}

type Options = Omit<RequestSpec, "path">;

export interface CacheFixture {
  /** Replies for a path, the next one first. The last one stays. */
  script(path: string, ...replies: Reply[]): Promise<void>;
  get(path: string, options?: Options): Promise<Answer>;
  /** The body of a response as it comes. */
  stream(path: string): Promise<ReadableStream<string>>;
  /** The calls for a path that have reached the entrypoint. */
  calls(path: string): Promise<Call[]>;
  /** Moves the clock on. */
  pass(seconds: number): Promise<void>;
  purge(options: PurgeSpec, entrypoint?: EntrypointName): Promise<PurgeOutcome>;
  invalidate(options: PurgeSpec, entrypoint?: EntrypointName): Promise<PurgeOutcome>;
  /** Waits until no entrypoint has work going on after its answers. */
  settle(): Promise<void>;
  open(gate: string): Promise<void>;
  command(command: Command): Promise<unknown>;
  close(): Promise<void>;
}

export async function startCacheFixture(): Promise<CacheFixture> {
  // Not asked of the internet: where this machine is (Request.cf).
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  const harness = createTestHarness({
    workers: [{ configPath: new URL("../../support/workers/cache.toml", import.meta.url) }],
  });
  await harness.listen();

  async function command(command: Command): Promise<unknown> {
    const response = await harness.fetch("/", {
      method: "POST",
      body: JSON.stringify(command),
    });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }
  return {
    command,
    script: async (path, ...replies) => void (await command({ do: "script", path, replies })),
    get: async (path, options = {}) => toAnswer(await command({ do: "request", request: { path, ...options } })),
    stream: async (path) => {
      const { body } = await harness.fetch(path, { headers: { "accept-encoding": "identity" } });
      return (body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream());
    },
    calls: async (path) => (await command({ do: "calls", path })) as Call[],
    pass: async (seconds) => void (await command({ do: "pass", ms: 1_000 * seconds })),
    purge: async (options, entrypoint = "Fixture") =>
      (await command({ do: "purge", entrypoint, props: {}, options })) as PurgeOutcome,
    invalidate: async (options, entrypoint = "Fixture") =>
      (await command({ do: "invalidate", entrypoint, props: {}, options })) as PurgeOutcome,
    settle: async () => void (await command({ do: "settle" })),
    open: async (gate) => void (await command({ do: "open", gate })),
    close: () => harness.close(),
  };
}

export function toAnswer(response: unknown): Answer {
  const seen = response as Seen;
  const age = seen.headers.age;
  return { ...seen, cache: seen.headers["cf-cache-status"], age: age === undefined ? undefined : Number(age) };
}
