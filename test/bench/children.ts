import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";

const GRACE_MS = 1_000;

/** The processes of a run. They end with it, however it ends. */
export class Children {
  readonly #running = new Set<ChildProcess>();
  #isOver = false;

  /** @throws Error after {@link stopAll}: whoever starts one then has not yet noticed that the run is over */
  start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    if (this.#isOver) throw new Error("The run is over");
    return this.adopt(spawn(command, args, options));
  }

  /** Takes a process that somebody else has started. */
  adopt(child: ChildProcess): ChildProcess {
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    // Without a listener it would be thrown; whoever waits for the child to be ready learns of it by its exit.
    child.on("error", () => this.#running.delete(child));
    return child;
  }

  async stop(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const lateness = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
    await exited;
    clearTimeout(lateness);
  }

  async stopAll(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#running].map((child) => this.stop(child)));
  }
}

/** Runs a command to its end. @throws Error with its output if it fails */
export async function run(children: Children, command: string, args: readonly string[], options: SpawnOptions) {
  const child = children.start(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const output = tail(child);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed (${code}):\n${output()}`);
}

const TAIL_CHARACTERS = 4_000;

/** Drains what a child writes, or it would stop, or die, at a full or broken pipe. @returns the last of it */
export function tail(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-TAIL_CHARACTERS);
    });
  }
  return () => text;
}

/** The next message of a forked child. @throws Error if it exits instead */
export async function message<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    const [value] = await Promise.race([
      once(child, "message", { signal }),
      once(child, "exit", { signal }).then(([code]) => {
        throw new Error(`${child.spawnfile} ended with ${code}`);
      }),
    ]);
    return value as T;
  } finally {
    ended.abort();
  }
}
