// Workers in plain workerd, without a proxy in front: wrangler's costs more than the Worker does.
import { writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { unstable_readConfig as readConfig } from "wrangler";
import { type Children, tail } from "./children.ts";
import type { Server } from "./server.ts";
import { cpuMs } from "./usage.ts";

const ROOT = join(import.meta.dirname, "../..");
const WORKERD = join(ROOT, "node_modules/workerd/bin/workerd");

export interface Worker {
  /** Path of its only module. */
  bundle: string;
  /** Texts in `env`. */
  bindings: Record<string, string>;
}

/** A Worker that has just started to listen. */
export interface StartedWorker extends Server {
  /** CPU time until then, in milliseconds. */
  startUpCpuMs: number;
}

/**
 * Starts a Worker on a free port of 127.0.0.1, with the compatibility date and flags of ours. There are no rate limits:
 * plain workerd has no such binding, and every run would exceed them.
 *
 * @throws Error if it does not start
 */
export async function startWorker(children: Children, worker: Worker): Promise<StartedWorker> {
  const configPath = join(dirname(worker.bundle), `${crypto.randomUUID()}.capnp`);
  writeFileSync(configPath, configOf(worker));
  const process = children.start(WORKERD, ["serve", "--control-fd=3", configPath], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const output = tail(process);
  const exited = new Promise<never>((_, reject) => {
    process.once("exit", (code) => reject(new Error(`workerd ended with ${code}:\n${output()}`)));
  });
  // It is also rejected at the end, when nobody waits any more.
  exited.catch(() => {});
  const port = await Promise.race([listeningPort(process.stdio[3] as Readable), exited]);
  const pid = process.pid as number;
  return { process, pid, port, startUpCpuMs: cpuMs(pid) };
}

/** workerd writes a line of JSON for each socket that is ready. */
async function listeningPort(control: Readable): Promise<number> {
  let text = "";
  for await (const chunk of control) {
    text += chunk;
    const line = text.split("\n").find((one) => one.includes('"listen"'));
    if (line !== undefined && text.includes("\n")) return JSON.parse(line).port;
  }
  throw new Error("workerd closed its control channel");
}

/** https://github.com/cloudflare/workerd/blob/main/src/workerd/server/workerd.capnp */
function configOf({ bundle, bindings }: Worker): string {
  const { compatibility_date, compatibility_flags } = readConfig({ config: join(ROOT, "wrangler.toml") });
  const texts = Object.entries(bindings).map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [(name = "worker.js", esModule = embed ${quote(basename(bundle))})],
      compatibilityDate = ${quote(compatibility_date as string)},
      compatibilityFlags = [${compatibility_flags.map(quote).join(", ")}],
      bindings = [${texts.join(", ")}],
      globalOutbound = "loopback",
    )),
    (name = "loopback", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`;
}

/** A text in Cap'n Proto, which escapes as JSON does, save for \\u. */
function quote(text: string): string {
  return JSON.stringify(text);
}
