// The throw-away PostgreSQL of tests.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { startRealPostgres } from "../../support/postgres.ts";
import { queryPostgres } from "../neon/requests.ts";

test("it asks for its password, and is gone with its files when it is closed", async () => {
  const { connectionString, close } = await startRealPostgres();
  const files = String(await queryPostgres(connectionString, "SHOW data_directory"));
  expect(existsSync(files)).toBe(true);
  const wrong = new URL(connectionString);
  wrong.password = "wrong";
  await expect(queryPostgres(wrong.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
  await close();
  expect(existsSync(files)).toBe(false);
  await expect(queryPostgres(connectionString, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test("it goes with the process that started it, also when that is killed", async () => {
  const script = `
    const { startRealPostgres } = await import(${JSON.stringify(import.meta.resolve("../../support/postgres.ts"))});
    console.log((await startRealPostgres()).connectionString);`;
  const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await owner.stdout.take(1).toArray()) as Buffer[];
  const connectionString = String(line).trim();
  const files = String(await queryPostgres(connectionString, "SHOW data_directory"));
  owner.kill("SIGKILL");
  while (existsSync(files)) await new Promise((resolve) => setImmediate(resolve));
  await expect(queryPostgres(connectionString, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
});
