// `npm run bench`: builds, starts everything on loopback, measures, prints, and ends what it has started.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import "../../src/node/quiet.ts";
import { startEmbeddedPostgres } from "../../src/local/postgres/embedded.ts";
import { startRealPostgres } from "../support/postgres.ts";
import { bench, PARTS, type PartName, type Report } from "./bench.ts";
import { Children } from "./children.ts";
import { FULL, SMOKE } from "./plan.ts";
import { toMarkdown } from "./table.ts";

const HELP = `Usage: npm run bench [-- --only PART[,PART]] [--json FILE] [--embedded] [--smoke]

Measures the Worker side by side with what people would use instead, on workerd itself and a real PostgreSQL
(apt-get install postgresql). Takes an hour and 12 GB of disk; needs a machine with nothing else to do.

  --only PART   ${PARTS.join(", ")}
  --json FILE   write all of it there, after each part
  --embedded    on the embedded Postgres of npm run dev
  --smoke       everything once and briefly, to see whether it works; the numbers mean nothing`;

/** Only to end what hangs: a machine that is busy with something else takes longer. */
const LIMIT_MS = 120 * 60_000;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    json: { type: "string" },
    embedded: { type: "boolean" },
    smoke: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  },
});
const asked = values.only?.split(",") ?? PARTS;
const parts = PARTS.filter((part) => asked.includes(part));
if (values.help || parts.length < asked.length) {
  console.log(HELP);
  process.exit(values.help ? 0 : 1);
}

const children = new Children();
const postgres = await (values.embedded ? startEmbeddedPostgres() : startRealPostgres());
const directory = await mkdtemp(join(tmpdir(), "process-api-bench-"));

/** All that there is until now. */
let report: Report | undefined;
let ending: Promise<void> | undefined;
/** Leaves nothing behind. Whatever asks first says how it ended: what is stopped thereby fails too. */
async function end(exitCode: number, reason?: unknown): Promise<void> {
  if (ending === undefined) {
    if (report !== undefined) console.log(toMarkdown(report));
    if (reason !== undefined) console.error(reason);
  }
  ending ??= clearAway().then(() => process.exit(exitCode));
  await ending;
}
async function clearAway(): Promise<void> {
  await children.stopAll();
  await postgres.close();
  await rm(directory, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => void end(1, signal));
// A connection that breaks throws there; at the end some do.
process.on("uncaughtException", (error) => void end(1, error));
setTimeout(() => void end(1, "Not done in time."), LIMIT_MS).unref();

const startedAt = performance.now();
const say = (line: string) =>
  console.error(`${((performance.now() - startedAt) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
try {
  const { json } = values;
  const { failures } = await bench(values.smoke ? SMOKE : FULL, parts satisfies readonly PartName[], {
    connectionString: postgres.connectionString,
    children,
    directory,
    say,
    save: async (soFar) => {
      report = soFar;
      if (json !== undefined) await writeFile(json, `${JSON.stringify(soFar, null, 2)}\n`);
    },
  });
  await end(Object.keys(failures).length === 0 ? 0 : 1);
} catch (error) {
  await end(1, error);
}
