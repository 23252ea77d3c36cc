// Every command of every README.md, as it stands there, against one `npm run dev`. Commands for accounts are only parsed:
// test/cli/deploy runs them.
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import type { Key } from "../../src/cli/keys/read.ts";
import { RULES } from "../../src/cli/stats/alerts.ts";
import type { Command } from "../../src/cli/support/program.ts";
import { checkOut } from "../stand-ins/checkout.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { type Dev, startDev } from "../support/dev.ts";
import type { Outcome } from "../support/outcome.ts";

interface Block {
  page: string;
  /** The heading that it stands under. */
  heading: string;
  language: string;
  text: string;
}

/** The fenced blocks of a page, in their order. */
function blocksOf(page: string): Block[] {
  let heading = "";
  return [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap((found) => {
    const [, title, language = "", text] = found;
    heading = title ?? heading;
    return text === undefined ? [] : [{ page, heading, language, text }];
  });
}

/** The lines of a shell block, without comments. */
const linesOf = ({ text }: Block): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/(^|\s+)# .*$/, ""))
    .filter((line) => line !== "");

const PAGES = globSync("{,src/**/,test/**/,drizzle/}README.md", { exclude: (name) => name.includes("node_modules") });
const blocks = PAGES.sort().flatMap(blocksOf);
const RUNBOOK = "src/cli/runbook/README.md";
const README_URL = "http://localhost:8787";
const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
const [web] = SEED_PROCESSES;

const directory = mkdtempSync(join(tmpdir(), "process-api-readme-"));
/** Of its own, because commands find the `npm run dev` of their checkout. */
const { root } = checkOut(join(directory, "checkout"));
// The commands for accounts read it, where no `npm run dev` is to be found.
copyFileSync("wrangler.toml", join(directory, "wrangler.toml"));
const here = (text: string) => text.replaceAll(README_URL, `http://localhost:${dev.port}`);
const databaseUrl = () => String(/postgres:\/\/\S+/.exec(dev.output())?.[0]);
let dev: Dev;
let installed: Promise<string>;
beforeAll(async () => {
  dev = await startDev({}, [], root);
  await dev.ready;
  // Waits mostly for npm's registry.
  installed = bash(under("A typed client in five minutes")[0]?.text, directory);
  installed.catch(() => {});
});
afterAll(async () => {
  await dev.interrupt();
  rmSync(directory, { recursive: true });
});

const under = (heading: string, language = "sh") =>
  blocks.filter((block) => block.heading === heading && block.language === language);

/** Runs a script to its first failure. */
async function bash(script = "", cwd = root): Promise<string> {
  const DATABASE_URL = script.includes("$DATABASE_URL") ? databaseUrl() : undefined;
  const env = { ...process.env, npm_config_yes: "true", DATABASE_URL };
  const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here(script)], { cwd, env });
  return stdout;
}

/** Runs a line that needs no shell in this process. */
async function npmRun(line: string, options: CommandOptions = {}): Promise<Outcome> {
  const [, name = "", args = ""] = /^npm run (?:-s )?(\S+)(?: -- (.*))?$/.exec(line) ?? [];
  const [, script] = /^node src\/cli\/([\w-]+)\.ts$/.exec(String(scripts[name])) ?? [];
  if (script === undefined) throw new Error(`${line} is no command of src/cli`);
  const { default: command } = (await import(`../../src/cli/${script}.ts`)) as { default: Command };
  return run(command, args.split(" ").filter(Boolean), { root, ...options });
}

/** Runs the lines of a heading's blocks one after the other. @returns all that they say */
async function perform(heading: string, options?: CommandOptions): Promise<string> {
  let said = "";
  for (const line of under(heading).flatMap(linesOf)) {
    if (!line.startsWith("npm run ")) said += await bash(line);
    else {
      const { exitCode, stdout, stderr } = await npmRun(line, options);
      expect(exitCode, `${line}\n${stderr}`).toBe(0);
      said += stdout + stderr;
    }
  }
  return said;
}

const listKeys = async (): Promise<Key[]> => JSON.parse((await npmRun("npm run keys -- list --json")).stdout);

test("there is no command that is not run here", () => {
  const headings = blocks.filter(({ language }) => language === "sh").map(({ heading }) => heading);
  expect([...new Set(headings)]).toStrictEqual([
    ...["Process API", "Keys", "Audit", "Purges", "Monitoring", "Deploy", "Alerts", "Look first"],
    ...["The database is away", "Overloaded", "The feed is late or silent", "A key has leaked"],
    ...["Restore to a point in time", "Call it", "A typed client in five minutes", "Write", "Caching"],
  ]);
});

describe("to call the API", () => {
  test("the first two commands are those that CI runs, and the third's response is the one that stands there", async () => {
    const [start, curl, tests] = under("Process API").map(linesOf);
    expect([start, tests]).toStrictEqual([["npm ci && npm run dev"], ["npm ci && npm test"]]);
    expect(readFileSync(".ci/run", "utf8")).toMatch(/^npm ci .*\n(.*\n)*tests test$/m);
    const [head = "", body = ""] = (await bash(String(curl))).split("\r\n\r\n");
    expect(JSON.parse(body)).toStrictEqual(JSON.parse(String(under("Process API", "json")[0]?.text)));
    const fields = String(under("Process API", "http")[0]?.text).trim().split("\n");
    expect(fields.length).toBeGreaterThan(5);
    for (const field of fields) expect(head.split("\r\n")).toContain(field);
    expect(await bash(String(curl))).toMatch(/^cache-status: process-api; hit/im);
  });

  test("the reference has a demo key entered", async () => {
    const page = await (await fetch(here(`${README_URL}/docs`))).text();
    expect(page).toContain(`<meta name="demo-key" content="${SEED_TOKENS.full}">`);
  });

  test("there are calls, writes, and reads of what the database says now", async () => {
    const [calls] = under("Call it");
    const [list = "", answer = ""] = (await bash(calls?.text)).split(/(?=HTTP\/1\.1)/);
    expect(JSON.parse(list)).toMatchObject({ total: 4, limit: 2, data: [{ key: "web" }, { key: "worker" }] });
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    const [settings] = String(calls?.text).split("curl", 1);
    const written = await bash(String(settings) + under("Write")[0]?.text);
    expect(written.match(/HTTP\/1\.1 200 /g)?.length).toBe(3);
    expect(written).toContain('"key":"report"');
    expect(written).toContain('"entrypoint":"npx migrate"');
    expect(JSON.parse(written.slice(written.lastIndexOf('{"data"')))).toMatchObject({ total: 1 });
    expect(await perform("Audit")).toContain('"operation": "trigger"');
    for (let n = 0; n < 2; n++) expect(await perform("Caching")).toMatch(/^cache-status: .*fwd=request/im);
  });

  test("a typed client calls from an empty folder", async () => {
    const [, call] = under("A typed client in five minutes");
    const [code] = under("A typed client in five minutes", "ts");
    await installed;
    writeFileSync(join(directory, "call.ts"), here(String(code?.text)));
    expect(await bash(`export KEY=${web.token}\n${call?.text}`, directory)).toBe("10\n");
  });
});

describe("to operate it", () => {
  test("keys are issued, rotated, switched and revoked", async () => {
    const before = await listKeys();
    const [block, first] = under("Keys");
    const output = await bash(block?.text);
    expect(output.match(/^svl_[0-9a-f]{64}$/gm)?.length).toBe(2);
    expect(output).toMatch(
      /^history +\S+ +issued by .*\n.* rotated by .*\n.* disabled by .*\n.* enabled by .*\n.* revoked by /m,
    );
    const after = await listKeys();
    const issued = after.filter(({ id }) => !before.some((key) => key.id === id));
    expect(issued.map(({ name, state }) => [name, state])).toStrictEqual([
      ["My App only", "live"],
      ["CI", "revoked"],
    ]);
    // No other key has changed: the reference and the examples use one of them.
    const changes = (keys: Key[]) => keys.map(({ id, state, updated_at }) => [id, state, updated_at]);
    expect(changes(after.filter((key) => !issued.includes(key)))).toStrictEqual(changes(before));
    expect(await bash(first?.text)).toMatch(/^svl_[0-9a-f]{64}$/m);
    expect((await listKeys()).map(({ company }) => company.name)).toContain("My Company");
  });

  test("purges are made in two ways", async () => {
    const purged = await bash(under("Purges")[0]?.text);
    expect(purged.match(/process:00000000-0000-4000-8000-000000000102/g)?.length).toBe(2);
  });

  test("the statistics, the smoke test and the database say how it does", async () => {
    expect(await perform("Monitoring")).toMatch(/^requests +\d+, \d+ failed \(5xx\)/m);
    const looked = await perform("Look first");
    expect(looked).toContain('"status":"ok"');
    expect(looked).toMatch(/^server-timing: key;dur=\d+, cache;dur=\d+/im);
    expect(await perform("The database is away")).toMatch(/\d{4}-\d\d-\d\d .*\n[\s\S]*^database/m);
    expect(await perform("The feed is late or silent")).toContain("healthy_at");
  });

  test("each alert has its row, and the check prints alerts", async () => {
    const rows = [...readFileSync(RUNBOOK, "utf8").matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
    expect(rows).toStrictEqual(RULES.map(({ name }) => name));
    const { exitCode, stdout } = await npmRun(String(under("Alerts").flatMap(linesOf)));
    const alerts = [...stdout.matchAll(/^([^:]+):.*\n/gm)].map(([, name]) => name);
    expect(exitCode).toBe(alerts.length === 0 ? 0 : 1);
    expect(rows).toEqual(expect.arrayContaining(alerts));
  });

  test("a key is switched off and on, and a leaked one is revoked", async () => {
    // Not known as the database of `npm run dev`, whose Worker takes ten purges a minute.
    expect(await perform("Overloaded", { root: directory, env: { DATABASE_URL: databaseUrl() } })).toContain("live");
    expect(await perform("A key has leaked")).toMatch(/^key:[0-9a-f-]{36}$/m);
    const { state } = (await listKeys()).find(({ id }) => id === "00000000-0000-4000-8000-000000000202") ?? {};
    expect(state).toBe("revoked");
  });

  test("the feed purges everything after a restore", async () => {
    const path = `/v3/applications/${web.applicationId}/processes/${web.processId}`;
    const get = async () => {
      const headers = { authorization: `Bearer ${web.token}` };
      return (await fetch(here(README_URL + path), { headers })).headers.get("cache-status");
    };
    await get();
    expect(await get()).toContain("; hit");
    expect(await perform("Restore to a point in time")).toBe("INSERT 0 1\n");
    await expect.poll(get, { interval: 500 }).toContain("fwd=miss");
  });
});

describe("to deploy it, there is the command", () => {
  const isForAccounts = ({ page, heading, language }: Block) =>
    language === "bash" ? [RUNBOOK, "src/cli/README.md"].includes(page) : heading === "Deploy" && language === "sh";
  const lines = blocks.filter(isForAccounts).flatMap(linesOf);
  const commands = lines.map((line) => line.replace(/^\w+="[^"]*" /, "").replace(/ \| gh secret set .*$/, ""));

  test.for([...new Set(commands)])("%s", async (command) => {
    if (command.startsWith("npm run ")) {
      const refuse = () => Promise.reject(new TypeError("no account"));
      const { stdout, stderr } = await npmRun(command, { root: directory, fetch: refuse, wrangler: refuse });
      // Its arguments are right: it asks for what it is to work with.
      expect(stdout + stderr).toMatch(/ is not set\.|No database|GITHUB_TOKEN say|no account|no answer/);
    } else {
      const [words] = /^(?:npx )?\S+(?: [a-z]+)*/.exec(command) ?? [];
      const help = await bash(`${words} --help 2>&1`);
      for (const [, option] of command.matchAll(/ (--[a-z-]+)/g)) expect(help).toContain(option);
      expect(help).toMatch(/usage|options/i);
    }
  });
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const headings = [
    ...readFileSync(page, "utf8")
      .toLowerCase()
      .matchAll(/^#+ (.+)$/gm),
  ];
  return headings.map(([, heading]) =>
    String(heading)
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test.for(PAGES)("every link of %s leads somewhere, and every file that it names exists", (page) => {
  const text = readFileSync(page, "utf8");
  for (const [, link, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
    const path = link === "" ? page : new URL(String(link), `file:///${page}`).pathname.slice(1);
    expect(existsSync(path), path).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(path)).toContain(anchor);
  }
  const named = [...text.matchAll(/`((?:src|test|drizzle|gateway|api|db|feed|shared)\/[\w./-]+)`/g)];
  const paths = named.map(([, path]) => String(path));
  expect(paths.filter((path) => !existsSync(path) && !existsSync(`src/worker/${path}`))).toStrictEqual([]);
});

test("every script that is named exists, and CI runs each that tests", () => {
  const text = PAGES.map((page) => readFileSync(page, "utf8").replaceAll(/^```json$.*?^```$/gms, "")).join("\n");
  const found = [...text.matchAll(/npm (?:run (?:-s )?([a-z][\w:]*)|(test))/g)];
  const named = found.map(([, script, tests]) => String(script ?? tests));
  expect(named.filter((name) => scripts[name] === undefined)).toStrictEqual([]);
  const ci = readFileSync(".ci/run", "utf8");
  for (const name of ["check", "test", "test:postgres", "test:browser", "test:readme", "openapi:lint"]) {
    expect(named).toContain(name);
    expect(ci).toMatch(new RegExp(`^(step npm run -s|tests)( test:\\w+)* ${name}( |$)`, "m"));
  }
});
