// How commands find a running `npm run dev`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { context, withContext } from "../../src/node/context.ts";
import { announce, findRunning, withdraw } from "../../src/node/running.ts";
import { announceIn, checkOut } from "../cli/command.ts";

test("commands find the `npm run dev` that was started last and still runs", async () => {
  const root = checkOut();
  const files = () => readdirSync(`${root}/.dev/running`);
  const here = <T>(work: () => T): T => withContext({ ...context(), project: pathToFileURL(`${root}/`) }, work);
  const find = () => here(findRunning)?.url;
  /** Starts a process that seems to have announced itself at that time. @returns a function that kills it */
  const start = (url: string, startedAt: number) => {
    const child = spawn("sleep", ["infinity"], { stdio: "ignore" });
    const kill = () => child.kill("SIGKILL") && once(child, "exit");
    onTestFinished(() => void kill());
    announceIn(root, { url, startedAt }, child.pid);
    return kill;
  };

  expect(find()).toBeUndefined();
  // The order of process ids must not matter.
  const [killThird, killFirst, killSecond] = [start("third", 3), start("first", 1), start("second", 2)];
  expect(find()).toBe("third");
  await killFirst();
  expect(files()).toHaveLength(3);
  // Removes the file of the killed process, and lets no other user read the new one.
  here(() => announce({ url: "this", databaseUrl: "", purgeSecret: "" }));
  expect(files()).toHaveLength(3);
  expect(statSync(`${root}/.dev/running/${process.pid}.json`).mode & 0o777).toBe(0o600);
  expect(find()).toBe("this");
  const killLast = start("last", Number(process.hrtime.bigint()));
  expect(find()).toBe("last");
  await killLast();
  expect(find()).toBe("this");
  here(withdraw);
  expect(find()).toBe("third");
  await killThird();
  expect(find()).toBe("second");
  await killSecond();
  expect(find()).toBeUndefined();
});
