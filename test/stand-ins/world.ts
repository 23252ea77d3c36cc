// All that a deployment touches, on one machine: Cloudflare, its edge, Neon, and a home of the commands' own.
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outcome } from "../support/outcome.ts";
import { type Checkout, checkOut } from "./checkout.ts";
import { ACCOUNT_ID, API_TOKEN, type CloudflareStandIn, startCloudflare } from "./cloudflare/api.ts";
import { type CommandOptions, run, start } from "./command.ts";
import { type Edge, startEdge } from "./edge.ts";
import { NEON_API_KEY, NEON_PROJECT_ID, type NeonStandIn, startNeon } from "./neon.ts";

export interface World {
  cloudflare: CloudflareStandIn;
  neon: NeonStandIn;
  edge: Edge;
  /** Runs a script of src/cli/ as a person would, who has all credentials. undefined unsets a variable. */
  run(script: string, args?: string[], env?: Record<string, string | undefined>): Promise<Outcome>;
  /** Starts one and leaves it to the caller. */
  start(script: string, args?: string[], env?: Record<string, string | undefined>): ReturnType<typeof start>;
  /** The checkout that the commands run in. */
  checkout: Checkout;
  /** Paths of what the commands have left behind among temporary files. */
  leftovers(): string[];
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const cloudflare = await startCloudflare();
  const neon = await startNeon();
  const edge = await startEdge({ serving: cloudflare.serving, neonEndpoint: neon.endpointOf });
  const home = mkdtempSync(join(tmpdir(), "process-api-world-"));
  const temporary = join(home, "tmp");
  mkdirSync(temporary);
  const checkout = checkOut(join(home, "checkout"));
  buildOnce(checkout.root);

  const optionsWith = (env: Record<string, string | undefined> = {}): CommandOptions => ({
    cwd: checkout.root,
    nodeArgs: ["--import", import.meta.resolve("./internet.ts")],
    env: {
      HOME: home,
      TMPDIR: temporary,
      // A test runs dozens of commands, most of whose time goes into loading wrangler.
      NODE_COMPILE_CACHE: join(home, "compiled"),
      CLOUDFLARE_API_BASE_URL: cloudflare.url,
      CLOUDFLARE_API_TOKEN: API_TOKEN,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT_ID,
      NEON_API_URL: neon.url,
      NEON_API_KEY,
      NEON_PROJECT_ID,
      NEON_DATABASE: "postgres",
      TEST_EDGE_URL: edge.url,
      ...env,
    },
  });

  return {
    cloudflare,
    neon,
    edge,
    start: (script, args = [], env) => start(script, args, optionsWith(env)),
    run: (script, args = [], env) => run(script, args, optionsWith(env)),
    checkout,
    // Node and wrangler have theirs there, too.
    leftovers: () => globSync(join(temporary, "process-api-*")),
    close: async () => {
      await edge.close();
      await neon.close();
      await cloudflare.close();
      rmSync(home, { recursive: true });
    },
  };
}

/** Wrangler builds the documentation before each upload, for seconds; no test changes it after the first. */
function buildOnce(root: string): void {
  const file = join(root, "wrangler.toml");
  const [before, after] = ['command = "', 'command = "test -d dist/assets || '];
  writeFileSync(file, readFileSync(file, "utf8").replace(before, after));
}
