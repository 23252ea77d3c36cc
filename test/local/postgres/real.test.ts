import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { describe, expect, it } from "vitest";
import { startRealPostgres } from "../../support/postgres.ts";

async function query(connectionString: string, text: string): Promise<unknown> {
  const client = new pg.Client(connectionString);
  await client.connect();
  try {
    const { rows } = await client.query({ text, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

describe.skipIf(!existsSync("/usr/lib/postgresql"))("a throw-away PostgreSQL", () => {
  it("asks for its password, and is gone with its files when it is closed", async () => {
    const postgres = await startRealPostgres();
    const { connectionString } = postgres;
    const files = String(await query(connectionString, "SHOW data_directory"));
    expect(existsSync(files)).toBe(true);
    const wrong = new URL(connectionString);
    wrong.password = "wrong";
    await expect(query(wrong.href, "SELECT 1")).rejects.toMatchObject({ code: "28P01" });
    await postgres.close();
    expect(existsSync(files)).toBe(false);
    await expect(query(connectionString, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("goes with the process that started it, also when that is killed", async () => {
    const module = fileURLToPath(new URL("../../support/postgres.ts", import.meta.url));
    const script = `
      const { startRealPostgres } = await import(${JSON.stringify(module)});
      console.log((await startRealPostgres()).connectionString);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await owner.stdout.take(1).toArray()) as Buffer[];
    const connectionString = String(line).trim();
    const files = String(await query(connectionString, "SHOW data_directory"));
    owner.kill("SIGKILL");
    while (existsSync(files)) await new Promise((resolve) => setImmediate(resolve));
    await expect(query(connectionString, "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });
});
