import { get } from "node:http";
import type { Children } from "./children.ts";
import type { Ask } from "./load.ts";
import { median } from "./statistics.ts";
import { startWorker, type Worker } from "./workerd.ts";

/** How a Worker starts, process and all: Cloudflare's have theirs running already. Medians. */
export interface Start {
  /** CPU time from the process's beginning until it listens, in milliseconds. */
  cpuMs: number;
  /** From the process's beginning until the first answer, in milliseconds. */
  firstAnswerMs: number;
}

/** Starts a Worker several times, and asks it once each time. */
export async function measureStarts(children: Children, worker: Worker, ask: Ask, times: number): Promise<Start> {
  const cpu: number[] = [];
  const firstAnswer: number[] = [];
  for (let n = 0; n < times; n++) {
    const startedAt = performance.now();
    const { port, process, startUpCpuMs } = await startWorker(children, worker);
    await answerOf(port, ask);
    firstAnswer.push(performance.now() - startedAt);
    cpu.push(startUpCpuMs);
    await children.stop(process);
  }
  return { cpuMs: median(cpu), firstAnswerMs: median(firstAnswer) };
}

function answerOf(port: number, { path, headers }: Ask): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, headers, agent: false }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`The first answer was ${response.statusCode}`));
      response.on("end", resolve).on("error", reject).resume();
    }).on("error", reject);
  });
}
