// Every command of every README.md, run as it stands there: against `npm run dev`, and against stand-ins where it needs
// accounts.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import type { Key } from "../../src/cli/keys/read.ts";
import { RULES } from "../../src/cli/stats/alerts.ts";
import { type Dev, startDev } from "../support/dev.ts";
import { anchorsOf, commandsOf, linksOf, PAGES, readBlocks } from "./readme.ts";

/** npm installs a client; wrangler deploys. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 });

const README_URL = "http://localhost:8787";
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
const blocks = PAGES.flatMap(readBlocks);
const [web] = SEED_PROCESSES;
const under = (heading: string, language: string) =>
  blocks.filter((block) => block.heading === heading && block.language === language);

let dev: Dev;
let directory: string;
beforeAll(async () => {
  dev = await startDev();
  directory = mkdtempSync(join(tmpdir(), "process-api-readme-"));
  await dev.ready;
});
afterAll(async () => {
  await dev.interrupt();
  rmSync(directory, { recursive: true });
});

/** Runs a script in bash to its first failure. */
async function bash(script: string, cwd: string = process.cwd(), more: NodeJS.ProcessEnv = {}): Promise<string> {
  const here = script.replaceAll(README_URL, `http://localhost:${dev.port}`);
  const env = { ...process.env, ...more };
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here], { cwd, env });
  return stdout;
}

/** The same with the database's URL, for `psql`. */
function psql(script: string): Promise<string> {
  const [DATABASE_URL] = dev.output().match(/postgres:\/\/\S+/) ?? [];
  return bash(script, undefined, { DATABASE_URL });
}

test("there is no command that is not run here", () => {
  const places = blocks.filter(({ language }) => language === "sh").map(({ page, heading }) => `${page}: ${heading}`);
  expect([...new Set(places)]).toStrictEqual([
    "README.md: Process API",
    "src/cli/README.md: Keys",
    "src/cli/README.md: Audit",
    "src/cli/README.md: Purges",
    "src/cli/README.md: Monitoring",
    "src/cli/README.md: Deploy",
    "src/cli/runbook/README.md: Alerts",
    "src/cli/runbook/README.md: Look first",
    "src/cli/runbook/README.md: The database is away",
    "src/cli/runbook/README.md: Overloaded",
    "src/cli/runbook/README.md: The feed is late or silent",
    "src/cli/runbook/README.md: A key has leaked",
    "src/cli/runbook/README.md: Restore to a point in time",
    "src/docs/README.md: Call it",
    "src/docs/README.md: A typed client in five minutes",
    "src/docs/README.md: Write",
    "src/docs/README.md: Caching",
  ]);
});

describe("Process API", () => {
  const [start, curl, tests] = under("Process API", "sh").map(commandsOf);

  test("the two commands are those that CI and this suite run", () => {
    expect([start, tests]).toStrictEqual([["npm ci && npm run dev"], ["npm ci && npm test"]]);
    expect(readFileSync(".ci/run", "utf8")).toMatch(/^npm ci .*\n(.*\n)*tests test$/m);
  });

  test("the answer is the one that stands there", async () => {
    const [head = "", body = ""] = (await bash(String(curl))).split("\r\n\r\n");
    const [json] = under("Process API", "json");
    expect(JSON.parse(body)).toStrictEqual(JSON.parse(String(json?.text)));
    const [http] = under("Process API", "http");
    const lines = String(http?.text).trim().split("\n");
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) expect(head.split("\r\n")).toContain(line);
    expect(await bash(String(curl))).toMatch(/^cache-status: process-api; hit/im);
  });
});

describe("Call the API", () => {
  const [calls] = under("Call it", "sh");
  const [install, run] = under("A typed client in five minutes", "sh");

  test("the calls are answered", async () => {
    const output = await bash(String(calls?.text));
    const [list = "", answer = ""] = output.split(/(?=HTTP\/1\.1)/);
    expect(JSON.parse(list)).toMatchObject({ total: 4, limit: 2, data: [{ key: "web" }, { key: "worker" }] });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("a write is tried, one is done, and a run is asked for and listed", async () => {
    const [writes] = under("Write", "sh");
    const [settings] = String(calls?.text).split("curl", 1);
    const output = await bash(String(settings) + String(writes?.text));
    expect(output.match(/HTTP\/1\.1 200 /g)?.length).toBe(3);
    expect(output).toContain('"key":"report"');
    expect(output).toContain('"entrypoint":"npx migrate"');
    expect(JSON.parse(output.slice(output.lastIndexOf('{"data"')))).toMatchObject({ total: 1 });
    const [audit] = under("Audit", "sh");
    expect(await bash(String(audit?.text))).toContain('"operation": "trigger"');
  });

  test("from an empty folder to a typed call", async () => {
    const [code] = under("A typed client in five minutes", "ts");
    await bash(String(install?.text), directory);
    writeFileSync(
      join(directory, "call.ts"),
      String(code?.text).replaceAll(README_URL, `http://localhost:${dev.port}`),
    );
    const key = `export KEY=${web.token}\n`;
    expect(await bash(key + String(run?.text), directory)).toBe("10\n");
  });

  test("a request that must be fresh is answered by the database", async () => {
    const [fresh] = under("Caching", "sh");
    for (let n = 0; n < 2; n++) expect(await bash(String(fresh?.text))).toMatch(/^cache-status: .*fwd=request/im);
  });
});

describe("When something is wrong", () => {
  const RUNBOOK = "src/cli/runbook/README.md";
  const steps = (heading: string) => under(heading, "sh").map(({ text }) => text);
  test("the statistics are shown", async () => {
    const [monitoring] = steps("Monitoring");
    expect(await bash(String(monitoring))).toMatch(/^requests +\d+, \d+ failed \(5xx\)/m);
  });

  test("the check says nothing, or what is wrong", async () => {
    const [check] = steps("Alerts");
    const lines = await bash(String(check)).catch(({ code, stdout }) => {
      expect(code).toBe(1);
      return String(stdout);
    });
    const names = RULES.map(({ name }) => name);
    for (const line of lines.split("\n").filter(Boolean)) expect(names).toContain(line.split(":")[0]);
  });

  test("each alert has its row, and each row its alert", () => {
    const rows = [...readFileSync(RUNBOOK, "utf8").matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toStrictEqual(RULES.map(({ name }) => name));
  });

  test("one looks first", async () => {
    const [look, timing] = steps("Look first");
    expect(await bash(String(look))).toContain('"status":"ok"');
    expect(await bash(String(timing))).toMatch(/^server-timing: key;dur=\d+, cache;dur=\d+/im);
  });

  test("the database is asked", async () => {
    expect(await psql(String(steps("The database is away")))).toMatch(/\d{4}-\d\d-\d\d .*\n[\s\S]*^database/m);
    expect(await psql(String(steps("The feed is late or silent")))).toContain("healthy_at");
  });

  test("a key is switched off and on, and a leaked one ends", async () => {
    expect(await bash(String(steps("Overloaded")))).toContain("live");
    expect(await bash(String(steps("A key has leaked")))).toMatch(/^key:[0-9a-f-]{36}$/m);
    const keys = JSON.parse(await bash("npm run -s keys -- list --json | cat")) as { id: string; state: string }[];
    expect(keys.find(({ id }) => id === "00000000-0000-4000-8000-000000000202")?.state).toBe("revoked");
  });

  test("the feed purges everything", async () => {
    const path = `/v3/applications/${web.applicationId}/processes/${web.processId}`;
    const get = async () => {
      const { headers } = await fetch(`http://localhost:${dev.port}${path}`, {
        headers: { authorization: `Bearer ${web.token}` },
      });
      return headers.get("cache-status");
    };
    await get();
    expect(await get()).toContain("; hit");
    expect(await psql(String(steps("Restore to a point in time")))).toBe("INSERT 0 1\n");
    await expect.poll(get, { interval: 500 }).toContain("fwd=miss");
  });

  /** Of what needs an account: that there is such a command, with such options. */
  test("the commands for accounts exist", async () => {
    const commands = blocks
      .filter(({ page, language }) => [RUNBOOK, "src/cli/README.md"].includes(page) && language === "bash")
      .flatMap(commandsOf)
      .map((command) => command.replace(/^\w+="[^"]*" /, "").replace(/ \| gh secret set .*$/, ""));
    expect(commands.length).toBeGreaterThan(6);
    for (const command of commands) {
      const script = /^npm run (?:-s )?(\S+)/.exec(command)?.[1];
      const [words] = /^(?:npx )?\S+(?: [a-z]+)*/.exec(command) ?? [];
      const help = script === undefined ? `${words} --help 2>&1` : `npm run -s ${script} -- --help`;
      const said = await bash(help, script === undefined ? directory : undefined, { npm_config_yes: "true" });
      expect(said, command).toMatch(/usage|options/i);
      for (const [, option] of command.matchAll(/ (--[a-z-]+)/g)) expect(said, command).toContain(option);
    }
  });
});

test("the commands for keys do what they say, one after another", async () => {
  const list = async (): Promise<Key[]> => JSON.parse(await bash("npm run -s keys -- list --json | cat"));
  const before = await list();
  const [block, first] = under("Keys", "sh").map(({ text }) => text);
  const output = await bash(String(block));
  expect(output.match(/^svl_[0-9a-f]{64}$/gm)?.length).toBe(2);
  expect(output).toMatch(
    /^history +\S+ +issued by .*\n.* rotated by .*\n.* disabled by .*\n.* enabled by .*\n.* revoked by /m,
  );
  const after = await list();
  const issued = after.filter(({ id }) => !before.some((key) => key.id === id));
  expect(issued.map(({ name, state }) => [name, state])).toStrictEqual([
    ["My App only", "live"],
    ["CI", "revoked"],
  ]);
  // No other key has changed: the reference and the examples use one of them.
  const changes = (keys: Key[]) => keys.map(({ id, state, updated_at }) => [id, state, updated_at]);
  expect(changes(after.filter((key) => !issued.includes(key)))).toStrictEqual(changes(before));
  expect(await psql(String(first))).toMatch(/^svl_[0-9a-f]{64}$/m);
  expect((await list()).map(({ company }) => company.name)).toContain("My Company");
});

test("the two ways to purge tell what was purged", async () => {
  // A Worker takes ten purges a minute, and the commands above have had those of this one.
  await dev.interrupt();
  dev = await startDev();
  await dev.ready;
  const [block] = under("Purges", "sh");
  const output = await bash(String(block?.text));
  expect(output.match(/process:00000000-0000-4000-8000-000000000102/g)?.length).toBe(2);
});

test.for(PAGES)("every link of %s leads somewhere", (page) => {
  for (const { path, anchor } of linksOf(page)) {
    expect(existsSync(path), path).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(path)).toContain(anchor);
  }
});

test.for(PAGES)("every file that %s names exists", (page) => {
  const text = readFileSync(page, "utf8");
  const named = [...text.matchAll(/`((?:src|test|drizzle|gateway|api|db|feed|shared)\/[\w./-]+)`/g)].map(
    ([, path]) => path,
  );
  const missing = named.filter((path) => !existsSync(String(path)) && !existsSync(`src/worker/${path}`));
  expect(missing).toStrictEqual([]);
});

test("every script that is named exists, and CI runs each that tests", () => {
  const text = PAGES.map((page) => readFileSync(page, "utf8"))
    .join("\n")
    .replaceAll(/^```json$.*?^```$/gms, "");
  const named = [...text.matchAll(/npm (?:run (?:-s )?([a-z][\w:]*)|(test))/g)].map((found) =>
    String(found[1] ?? found[2]),
  );
  expect(named.filter((name) => scripts[name] === undefined)).toStrictEqual([]);
  const ci = readFileSync(".ci/run", "utf8");
  for (const name of ["check", "test", "test:postgres", "test:browser", "test:readme", "openapi:lint"]) {
    expect(named).toContain(name);
    expect(ci).toMatch(new RegExp(`^(step npm run -s|tests)( test:\\w+)* ${name}( |$)`, "m"));
  }
});
