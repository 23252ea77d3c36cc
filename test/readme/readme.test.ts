// Every command of every README.md, as it stands there, against one `npm run dev`. Commands for accounts are only parsed:
// test/cli/deploy runs them.
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import type { Key } from "../../src/cli/keys/read.ts";
import { RULES } from "../../src/cli/stats/alerts.ts";
import type { Command } from "../../src/cli/support/program.ts";
import { checkOut } from "../stand-ins/checkout.ts";
import { type CommandOptions, run } from "../support/command.ts";
import { type Dev, startDev } from "../support/dev.ts";

/** A fenced block, and the heading that it stands under. */
type Block = Record<"page" | "heading" | "language" | "text", string>;

function blocksOf(page: string): Block[] {
  let heading = "";
  return [...read(page).matchAll(/^#+ (.+)$|^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap((found) => {
    const [, title, language = "", text] = found;
    heading = title ?? heading;
    return text === undefined ? [] : [{ page, heading, language, text }];
  });
}

/** The lines of a shell block, without comments. */
const linesOf = ({ text }: Block) =>
  text
    .replaceAll(/(^|\s+)# .*$/gm, "")
    .split("\n")
    .filter(Boolean);
const read = (file: string) => readFileSync(file, "utf8");

const PAGES = globSync("{,src/**/,test/**/,drizzle/}README.md", { exclude: (name) => name.includes("node_modules") });
const RUNBOOK = "src/cli/runbook/README.md";
const README_URL = "http://localhost:8787";
const blocks = PAGES.sort().flatMap(blocksOf);
const under = (heading: string, language = "sh") =>
  blocks.filter((block) => block.heading === heading && block.language === language);
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
const [web] = SEED_PROCESSES;

const directory = mkdtempSync(join(tmpdir(), "process-api-readme-"));
// The commands for accounts read it, where no `npm run dev` is to be found.
copyFileSync("wrangler.toml", join(directory, "wrangler.toml"));
/** Of its own, because commands find the `npm run dev` of their checkout. */
const { root } = checkOut(join(directory, "checkout"));
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
const here = (text: string) => text.replaceAll(README_URL, `http://localhost:${dev.port}`);
const databaseUrl = () => String(/postgres:\/\/\S+/.exec(dev.output())?.[0]);

/** Runs a script to its first failure. */
async function bash(script = "", cwd = root): Promise<string> {
  const DATABASE_URL = script.includes("$DATABASE_URL") ? databaseUrl() : undefined;
  const env = { ...process.env, npm_config_yes: "true", DATABASE_URL };
  return (await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here(script)], { cwd, env })).stdout;
}

/** Runs a line that needs no shell in this process: npm takes as long to start as most commands take to run. */
async function npmRun(line: string, options: CommandOptions = {}) {
  const [, name = "", args = ""] = /^npm run (?:-s )?(\S+)(?: -- (.*))?$/.exec(line) ?? [];
  const [, script] = /^node src\/cli\/([\w-]+)\.ts$/.exec(String(scripts[name])) ?? [];
  if (script === undefined) throw new Error(`${line} is no command of src/cli`);
  const { default: command } = (await import(`../../src/cli/${script}.ts`)) as { default: Command };
  const words = [...args.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => String(quoted ?? word));
  return run(command, words, { root, ...options });
}

/** Runs lines one after the other. @returns all that they say */
async function perform(lines: string[], options?: CommandOptions): Promise<string> {
  let said = "";
  let keyId = "";
  for (const written of lines) {
    const line = written.replace("$KEY_ID", keyId);
    if (line.startsWith("KEY_ID=")) keyId = (await bash(`${line}\necho "$KEY_ID"`)).trim();
    else if (!line.startsWith("npm run ")) said += await bash(line);
    else {
      const { exitCode, stdout, stderr } = await npmRun(line, options);
      expect(exitCode, `${line}\n${stderr}`).toBe(0);
      said += stdout + stderr;
    }
  }
  return said;
}

/** Runs all that stands under a heading. */
const performAll = (heading: string, options?: CommandOptions) => perform(under(heading).flatMap(linesOf), options);

const listKeys = async (): Promise<Key[]> => JSON.parse((await npmRun("npm run keys -- list --json")).stdout);

test("there is no command that is not run here", () => {
  const headings = blocks.filter(({ language }) => language === "sh").map(({ heading }) => heading);
  expect([...new Set(headings)]).toStrictEqual([
    ...[
      "Process API",
      "Keys",
      "Audit",
      "What is kept, and for how long",
      "Purges",
      "Monitoring",
      "Set up",
      "Alerts",
      "Look first",
    ],
    ...["The database is away", "Overloaded", "The feed is late or silent", "The database is full", "A key has leaked"],
    ...["Restore to a point in time", "Call it", "A typed client in five minutes", "Write", "Caching"],
  ]);
});

test("Process API: CI runs the first command and the last, and the response is the one that stands there", async () => {
  const [start, curl, tests] = under("Process API").map(linesOf);
  expect([start, tests]).toStrictEqual([["npm ci && npm run dev"], ["npm ci && npm test"]]);
  expect(read(".ci/run")).toMatch(/^npm ci .*\n(.*\n)*tests test$/m);
  const [head = "", body = ""] = (await bash(String(curl))).split("\r\n\r\n");
  expect(JSON.parse(body)).toStrictEqual(JSON.parse(String(under("Process API", "json")[0]?.text)));
  const fields = String(under("Process API", "http")[0]?.text).trim().split("\n");
  expect(fields.length).toBeGreaterThan(5);
  expect(head.split("\r\n")).toEqual(expect.arrayContaining(fields));
  expect(await bash(String(curl))).toMatch(/^cache-status: process-api; hit/im);
});

test("Call it: the reference has a demo key entered, and there are calls, writes and fresh reads", async () => {
  const page = await (await fetch(here(`${README_URL}/docs`))).text();
  expect(page).toContain(`<meta name="demo-key" content="${SEED_TOKENS.full}">`);
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
  expect(await performAll("Audit")).toContain('"operation": "trigger"');
  for (let n = 0; n < 2; n++) expect(await performAll("Caching")).toMatch(/^cache-status: .*fwd=request/im);
});

test("A typed client in five minutes: from an empty folder to a typed call", async () => {
  const [, call] = under("A typed client in five minutes");
  const [code] = under("A typed client in five minutes", "ts");
  await installed;
  writeFileSync(join(directory, "call.ts"), here(String(code?.text)));
  expect(await bash(`export KEY=${web.token}\n${call?.text}`, directory)).toBe("10\n");
});

test("Keys: two are issued, and one of them is rotated, switched and revoked", async () => {
  const before = await listKeys();
  const [block, first] = under("Keys") as [Block, Block];
  const output = await perform(linesOf(block));
  expect(output.match(/^svl_[0-9a-f]{64}$/gm)?.length).toBe(2);
  const events = ["", "rotated", "disabled", "enabled", "revoked"].join(" by .*\\n.* ");
  expect(output).toMatch(new RegExp(`^history +\\S+ +issued${events} by `, "m"));
  const after = await listKeys();
  const issued = after.filter(({ id }) => !before.some((key) => key.id === id));
  expect(issued.map(({ name, state }) => `${name}: ${state}`)).toStrictEqual(["My App only: live", "CI: revoked"]);
  // No other key has changed: the reference and the examples use one of them.
  const changes = (keys: Key[]) => keys.map(({ id, state, updated_at }) => [id, state, updated_at]);
  expect(changes(after.filter((key) => !issued.includes(key)))).toStrictEqual(changes(before));
  expect(await perform(linesOf(first))).toMatch(/^svl_[0-9a-f]{64}$/m);
  expect((await listKeys()).map(({ company }) => company.name)).toContain("My Company");
});

test("Purges: the two ways tell what was purged", async () => {
  const purged = await performAll("Purges");
  expect(purged.match(/process:00000000-0000-4000-8000-000000000102/g)?.length).toBe(2);
});

test("Monitoring, Look first: the statistics, the smoke test and the database say how it does", async () => {
  expect(await performAll("Monitoring")).toMatch(/^requests +\d+, \d+ failed \(5xx\)/m);
  const looked = await performAll("Look first");
  expect(looked).toContain('"status":"ok"');
  expect(looked).toMatch(/^server-timing: key;dur=\d+, cache;dur=\d+/im);
  expect(await performAll("The database is away")).toMatch(/\d{4}-\d\d-\d\d .*\n[\s\S]*^database/m);
  expect(await performAll("The feed is late or silent")).toContain("healthy_at");
});

test("Alerts: each has its row, and the check prints no others", async () => {
  const rows = [...read(RUNBOOK).matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name);
  expect(rows).toStrictEqual(Object.keys(RULES));
  const { exitCode, stdout } = await npmRun(String(under("Alerts").flatMap(linesOf)));
  const alerts = [...stdout.matchAll(/^([^:\n]+).*\n/gm)].map(([, name]) => name);
  expect(exitCode).toBe(alerts.length === 0 ? 0 : 1);
  expect(rows).toEqual(expect.arrayContaining(alerts));
});

test("What is kept, The database is full: what each table takes is told, before and after what has expired is deleted", async () => {
  const shown = (await performAll("What is kept, and for how long")) + (await performAll("The database is full"));
  expect(shown.match(/^audit_log +\d.* 365 days$/gm)?.length).toBe(3);
});

test("Overloaded, A key has leaked: one is switched off and on, the other revoked", async () => {
  // Not known as the database of `npm run dev`, whose Worker takes ten purges a minute.
  expect(await performAll("Overloaded", { root: directory, env: { DATABASE_URL: databaseUrl() } })).toContain("live");
  expect(await performAll("A key has leaked")).toMatch(/^key:[0-9a-f-]{36}$/m);
  const leaked = (await listKeys()).find(({ id }) => id === "00000000-0000-4000-8000-000000000202");
  expect(leaked?.state).toBe("revoked");
});

test("Restore to a point in time: the feed purges everything", async () => {
  const url = here(`${README_URL}/v3/applications/${web.applicationId}/processes/${web.processId}`);
  const headers = { authorization: `Bearer ${web.token}` };
  const get = async () => (await fetch(url, { headers })).headers.get("cache-status");
  await get();
  expect(await get()).toContain("; hit");
  expect(await performAll("Restore to a point in time")).toBe("INSERT 0 1\n");
  await expect.poll(get, { interval: 500 }).toContain("fwd=miss");
});

const forAccounts = blocks.filter(({ page, heading, language }) =>
  language === "bash" ? [RUNBOOK, "src/cli/README.md"].includes(page) : language === "sh" && heading === "Deploy",
);
const commands = forAccounts
  .flatMap(linesOf)
  .map((line) => line.replace(/^\w+="[^"]*" /, "").replace(/ \| gh secret set .*$/, ""));

test.for([...new Set(commands)])("there is a command %s", async (command) => {
  if (command.startsWith("npm run ")) {
    const refuse = () => Promise.reject(new TypeError("no account"));
    const { stdout, stderr } = await npmRun(command, { root: directory, fetch: refuse, wrangler: refuse });
    // Its arguments are right: it asks for what it is to work with.
    expect(stdout + stderr).toMatch(/ is not set\.|No database|no account|no answer/);
  } else {
    const [words] = /^(?:npx )?\S+(?: [a-z]+)*/.exec(command) ?? [];
    const help = await bash(`${words} --help 2>&1`);
    for (const [, option] of command.matchAll(/ (--[a-z-]+)/g)) expect(help).toContain(option);
    expect(help).toMatch(/usage|options/i);
  }
});

/** The anchors of a page's headings, as GitHub makes them. */
const anchorsOf = (page: string) =>
  [
    ...read(page)
      .toLowerCase()
      .matchAll(/^#+ (.+)$/gm),
  ].map(([, heading]) =>
    String(heading)
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );

test.for(PAGES)("every link of %s leads somewhere, and every file that it names exists", (page) => {
  for (const [, link, anchor] of read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
    const path = link === "" ? page : new URL(String(link), `file:///${page}`).pathname.slice(1);
    expect(existsSync(path), path).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(path)).toContain(anchor);
  }
  for (const [, path] of read(page).matchAll(/`((?:src|test|drizzle|gateway|api|db|feed|shared)\/[\w./-]+)`/g)) {
    expect(
      [`${path}`, `src/worker/${path}`].some((one) => existsSync(one)),
      path,
    ).toBe(true);
  }
});

test("every script that is named exists, and CI runs all that test or check", () => {
  const text = PAGES.map((page) => read(page).replaceAll(/^```json$.*?^```$/gms, "")).join("\n");
  const found = [...text.matchAll(/npm (?:run (?:-s )?([a-z][\w:]*)|(test))/g)];
  const named = found.map(([, script, tests]) => String(script ?? tests));
  expect(named.filter((name) => scripts[name] === undefined)).toStrictEqual([]);
  const projects = [...read("vitest.config.ts").matchAll(/^ {2}(\w+): \[/gm)].map(([, name]) => `test:${name}`);
  expect(projects).toHaveLength(5);
  expect(named).toEqual(expect.arrayContaining(["check", "openapi:lint", "test", "test:rest", ...projects]));
  expect([scripts.test, scripts["test:rest"]]).toStrictEqual([
    "vitest run --project suite",
    "vitest run --project=!suite",
  ]);
  for (const line of ["step npm run -s check", "step npm run -s openapi:lint", "tests test", "tests test:rest"]) {
    expect(read(".ci/run").split("\n")).toContain(line);
  }
});
