// A copy of the project, in which a test may change files while others run.
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Checkout {
  root: string;
  /**
   * Changes a file until {@link restore}.
   *
   * @throws if the file does not say `from`
   */
  edit(file: string, from: string, to: string): void;
  /** Adds a migration after all others. */
  addMigration(tag: string, statements: string): void;
  /** Takes all changes back. */
  restore(): void;
}

const JOURNAL = "drizzle/meta/_journal.json";

/** @param root where it is to be; the caller removes it */
export function checkOut(root: string): Checkout {
  mkdirSync(root, { recursive: true });
  for (const path of ["src", "drizzle", "package.json", "tsconfig.json", "wrangler.toml"]) {
    cpSync(path, join(root, path), { recursive: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(root, "node_modules"));
  const before = new Map<string, string>();

  function write(file: string, change: (content: string) => string): void {
    const content = readFileSync(join(root, file), "utf8");
    if (!before.has(file)) before.set(file, content);
    writeFileSync(join(root, file), change(content));
  }

  return {
    root,
    edit: (file, from, to) =>
      write(file, (content) => {
        if (!content.includes(from)) throw new Error(`${file} does not say ${from}`);
        return content.replace(from, to);
      }),
    addMigration: (tag, statements) => {
      writeFileSync(join(root, `drizzle/${tag}.sql`), statements);
      write(JOURNAL, (content) => {
        const journal = JSON.parse(content);
        const { idx, when } = journal.entries.at(-1);
        journal.entries.push({ idx: idx + 1, version: "7", when: when + 1, tag, breakpoints: true });
        return JSON.stringify(journal);
      });
    },
    restore: () => {
      for (const [file, content] of before) writeFileSync(join(root, file), content);
      before.clear();
    },
  };
}
