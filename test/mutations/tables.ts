// The tables of mutations: changes of the product, each of which a test must notice.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** A change in one place, and the tests of which one must fail then. */
export interface Mutation extends Tests {
  /** The table that has it. */
  kind: string;
  file: string;
  /** What the file says, in one place only, … */
  text: string;
  /** … and what it is to say instead. */
  replacement: string;
}

/** Test files, and the Vitest projects that run them. */
export interface Tests {
  suites: string[];
  projects: string[];
}

/**
 * Reads all tables. A mutation is a line, with tabs between its columns; line breaks and tabs in a text are written as in
 * JSON. The name of a test file says its project (`feed.postgres.test.ts`; `suite` otherwise), unless `postgres:` stands
 * before the files.
 */
export function readMutations(): Mutation[] {
  const tables = globSync("*.tsv", { cwd: import.meta.dirname }).sort();
  return tables.flatMap((table) => {
    const [, ...lines] = readFileSync(join(import.meta.dirname, table), "utf8")
      .trimEnd()
      .split("\n");
    return lines.map((line) => {
      const [file = "", text = "", replacement = "", tests = ""] = line.split("\t").map(unescaped);
      return { kind: basename(table, ".tsv"), file, text, replacement, ...testsIn(tests) };
    });
  });
}

function testsIn(cell: string): Tests {
  const [, project, files = ""] = /^(?:(\w+): )?(.*)$/.exec(cell) ?? [];
  const suites = files.split(" ");
  const projects = suites.map((suite) => project ?? /\.(\w+)\.test\.ts$/.exec(suite)?.[1] ?? "suite");
  return { suites, projects: [...new Set(projects)] };
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", "\\": "\\" };
const unescaped = (cell: string): string => cell.replaceAll(/\\([nt\\])/g, (_, name: string) => String(ESCAPES[name]));
