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

/** Runs until it is told to end, or is killed. */
async function startOne(url: string) {
  const running = JSON.stringify({ url, databaseUrl: "", purgeSecret: "" });
  const child = run(`announce(${running}); console.log("announced"); process.stdin.once("data", () => {
    withdraw(); process.exit();
  });`);
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  return {
    end: () => child.stdin?.write("end") && exited,
    kill: () => child.kill("SIGKILL") && exited,
  };
}

const find = async () => (await text(run("console.log(findRunning()?.url)").stdout)).trim();

test("is the one that was started last and still runs, however the others ended", async () => {
  expect(await find()).toBe("undefined");
  const first = await startOne("http://localhost:1");
  const second = await startOne("http://localhost:2");
  const third = await startOne("http://localhost:3");
  expect(await find()).toBe("http://localhost:3");
  await third.end();
  expect(await find()).toBe("http://localhost:2");
  await first.end();
  expect(await find()).toBe("http://localhost:2");
  const fourth = await startOne("http://localhost:4");
  await fourth.kill();
  expect(await find()).toBe("http://localhost:2");
  await second.kill();
  expect(await find()).toBe("undefined");
});

test("nothing stays of those that were killed once another starts", async () => {
  await (await startOne("http://localhost:1")).kill();
  await startOne("http://localhost:2");
  expect(readdirSync(join(root, ".dev/running"))).toHaveLength(1);
});
