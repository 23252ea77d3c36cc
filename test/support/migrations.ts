import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes the migrations of a project, by name, in their order. */
export function writeMigrations(project: string, migrations: Record<string, string>): void {
  mkdirSync(join(project, "drizzle/meta"), { recursive: true });
  const entries = Object.entries(migrations).map(([tag, sql], idx) => {
    writeFileSync(join(project, `drizzle/${tag}.sql`), sql);
    return { idx, version: "7", when: 1_000 + idx, tag, breakpoints: true };
  });
  writeFileSync(join(project, "drizzle/meta/_journal.json"), JSON.stringify({ entries }));
}

/** Joins the statements of a migration that runs outside a transaction. */
export const outside = (...statements: string[]): string =>
  `-- outside a transaction\n${statements.join(";--> statement-breakpoint\n")}`;
