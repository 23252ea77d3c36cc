// Which `npm run dev` the commands find.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, expect, test } from "vitest";
import { checkOut } from "./command.ts";

const { root, remove } = checkOut();
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(remove);

/** In a process of its own, as every `npm run dev` and every command is. */
function run(script: string): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const code = `import { announce, findRunning, withdraw } from "./src/cli/support/running.ts";\n${script}`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", code], {
    cwd: root,
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}

/** Announces itself when it is told to, and runs until it is told to end, or is killed. */
function startOne(url: string) {
  const running = JSON.stringify({ url, databaseUrl: "", purgeSecret: "" });
  const child = run(`process.stdin.once("data", () => {
    announce(${running});
    process.stdin.once("data", () => { withdraw(); process.exit(); });
    console.log("announced");
  });`);
  const exited = once(child, "exit");
  return {
    announce: () => child.stdin?.write("announce") && once(child.stdout, "data"),
    end: () => child.stdin?.write("end") && exited,
    kill: () => child.kill("SIGKILL") && exited,
  };
}

const find = async () => (await text(run("console.log(findRunning()?.url)").stdout)).trim();

test("is the one that was started last and still runs, however the others ended", async () => {
  expect(await find()).toBe("undefined");
  // The numbers of their processes say nothing about the order.
  const [third, first, second] = [3, 1, 2].map((n) => startOne(`http://localhost:${n}`));
  for (const one of [first, second, third]) await one?.announce();
  expect(await find()).toBe("http://localhost:3");
  await third?.end();
  expect(await find()).toBe("http://localhost:2");
  await first?.end();
  expect(await find()).toBe("http://localhost:2");
  const fourth = startOne("http://localhost:4");
  await fourth.announce();
  await fourth.kill();
  expect(await find()).toBe("http://localhost:2");
  await second?.kill();
  expect(await find()).toBe("undefined");
});

test("nothing stays of those that were killed once another starts", async () => {
  const killed = startOne("http://localhost:1");
  await killed.announce();
  await killed.kill();
  await startOne("http://localhost:2").announce();
  expect(readdirSync(join(root, ".dev/running"))).toHaveLength(1);
});
