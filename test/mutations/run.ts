// `npm run test:mutations [-- words]`: changes the product in one place at a time, runs the tests that must notice it, and says
// which change no test has noticed. With words, only the mutations that have all of them in their line.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Mutation, readMutations, type Tests } from "./tables.ts";

/** Of a mutation, which may make the tests hang. No file takes a tenth as long. */
const LIMIT_MS = 600_000;
/** Shorter than the project's own, which allow for a busy machine: a test may wait in vain for what a mutation prevents. */
const TEST_LIMITS = ["--testTimeout=90000", "--hookTimeout=90000"];
const LANES = Number(process.env.LANES ?? availableParallelism());

/** Vitest's, as far as it is read here. */
interface Report {
  testResults: { name: string; message: string; assertionResults: { status: string; fullName: string }[] }[];
}

interface Outcome {
  /** `BROKEN`: Vitest failed before there was a test to fail. */
  verdict: "caught" | "timed out" | "SURVIVED" | "BROKEN";
  /** What failed, the first test first; or the end of what Vitest said. */
  why: string[];
  seconds: number;
}

const folder = fs.mkdtempSync(join(tmpdir(), "process-api-mutations-"));
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) end(child);
  fs.rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

/** Ends a process and all that it has started. */
function end(child: ChildProcess): void {
  running.delete(child);
  try {
    process.kill(-Number(child.pid), "SIGKILL");
  } catch {
    // They have ended by themselves.
  }
}

/** A copy of the working tree, in which files can be changed. */
function copyProject(name: string): string {
  const root = join(folder, name);
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).toString();
  for (const file of list.split("\0")) if (file !== "" && fs.existsSync(file)) fs.cpSync(file, join(root, file));
  // Package by package: what tools keep in hidden folders beside them is each copy's own.
  fs.mkdirSync(join(root, "node_modules"));
  for (const entry of fs.readdirSync("node_modules")) {
    const isHidden = entry.startsWith(".") && entry !== ".bin";
    if (!isHidden) fs.symlinkSync(resolve("node_modules", entry), join(root, "node_modules", entry));
  }
  return root;
}

async function runTests(root: string, { suites, projects }: Tests, isMutated: boolean): Promise<Outcome> {
  const [report, log] = [`${root}.json`, `${root}.log`];
  fs.rmSync(report, { force: true });
  const output = fs.openSync(log, "w");
  const startedAt = Date.now();
  const args = ["run", "--reporter=json", `--outputFile=${report}`, ...TEST_LIMITS, ...(isMutated ? ["--bail=1"] : [])];
  const child = spawn(
    process.execPath,
    ["node_modules/vitest/vitest.mjs", ...args, ...projects.map((name) => `--project=${name}`), ...suites],
    { cwd: root, stdio: ["ignore", output, output], detached: true },
  );
  fs.closeSync(output);
  running.add(child);
  const timer = isMutated ? setTimeout(() => end(child), LIMIT_MS) : undefined;
  const [exitCode] = await once(child, "exit");
  clearTimeout(timer);
  const isLate = !running.has(child);
  end(child);
  const seconds = Math.round((Date.now() - startedAt) / 1_000);
  if (isLate) return { verdict: "timed out", why: ["timed out"], seconds };
  const failures = fs.existsSync(report) ? failuresIn(JSON.parse(fs.readFileSync(report, "utf8"))) : [];
  if (failures.length > 0) return { verdict: "caught", why: failures, seconds };
  if (exitCode === 0) return { verdict: "SURVIVED", why: ["all tests passed"], seconds };
  return { verdict: "BROKEN", why: [fs.readFileSync(log, "utf8").slice(-2_000)], seconds };
}

/** Names of tests; where none has failed but a hook or an import, those of files. */
const failuresIn = ({ testResults }: Report): string[] =>
  testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults.filter(({ status }) => status === "failed").map(({ fullName }) => fullName);
    return failed.length > 0 || message === "" ? failed : [`${name}: ${message.split("\n")[0]}`];
  });

async function attempt(root: string, mutation: Mutation): Promise<Outcome> {
  const path = join(root, mutation.file);
  const original = fs.readFileSync(path, "utf8");
  const parts = original.split(mutation.text);
  if (parts.length !== 2)
    return { verdict: "BROKEN", why: [`the text is there ${parts.length - 1} times`], seconds: 0 };
  const kept = cachedIn(root);
  fs.writeFileSync(path, parts.join(mutation.replacement));
  const outcome = await runTests(root, mutation, true);
  fs.writeFileSync(path, original);
  // Nobody needs the database of a changed migration again.
  const isMigration = mutation.file.endsWith(".sql");
  for (const file of isMigration ? cachedIn(root) : []) if (!kept.includes(file)) fs.rmSync(join(root, file));
  return outcome;
}

/** What test/support/global-setup.ts keeps from run to run. */
const cachedIn = (root: string): string[] => fs.globSync("node_modules/.cache/**/*.tar", { cwd: root });

const lineOf = ({ kind, file, text, replacement }: Mutation): string =>
  `${kind}: ${file}: ${JSON.stringify(text)} → ${JSON.stringify(replacement)}`;

const words = process.argv.slice(2);
const mutations = readMutations().filter((one) => words.every((word) => JSON.stringify(one).includes(word)));
if (mutations.length === 0) throw new Error("No mutation has these words");
const lanes = Array.from({ length: LANES }, (_, n) => copyProject(String(n)));
const allOf = (what: keyof Tests) => [...new Set(mutations.flatMap((one) => one[what]))];
const unchanged = await runTests(String(lanes[0]), { suites: allOf("suites"), projects: allOf("projects") }, false);
console.log(`Without a mutation: ${unchanged.why.join("\n")} (${unchanged.seconds} s)`);
if (unchanged.verdict !== "SURVIVED") process.exit(1);

const survivors: string[] = [];
const queue = mutations.values();
async function work(root: string): Promise<void> {
  for (const mutation of queue) {
    const { verdict, why, seconds } = await attempt(root, mutation);
    const line = `${verdict} ${lineOf(mutation)}`;
    console.log(`${line}\n    ${why[0]} (${seconds} s)`);
    if (verdict === "SURVIVED" || verdict === "BROKEN") survivors.push(line);
  }
}
await Promise.all(lanes.map(work));
console.log([...survivors, `${mutations.length - survivors.length} caught, ${survivors.length} survived`].join("\n"));
process.exitCode = survivors.length === 0 ? 0 : 1;
