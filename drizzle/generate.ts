// `npm run db:generate`: drizzle-kit's migration, and the triggers that keep `updated_at` of new tables current.
import { spawnSync } from "node:child_process";
import { appendFileSync, globSync, readFileSync } from "node:fs";

const NEW_TABLE = /^CREATE TABLE "(\w+)" \((?:\n\t.*)*?\n\t"updated_at"/gm;

/** The triggers that a migration needs behind its statements. */
export const triggersFor = (migration: string): string =>
  [...migration.matchAll(NEW_TABLE)]
    .map(
      ([, table]) => `--> statement-breakpoint
CREATE TRIGGER "${table}_set_updated_at" BEFORE UPDATE ON "${table}"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
`,
    )
    .join("");

if (import.meta.main) {
  const known = globSync("drizzle/*.sql");
  const { status } = spawnSync("drizzle-kit", ["generate", ...process.argv.slice(2)], { stdio: "inherit" });
  for (const file of globSync("drizzle/*.sql")) {
    const triggers = known.includes(file) ? "" : triggersFor(readFileSync(file, "utf8"));
    if (triggers !== "") appendFileSync(file, `\n${triggers}`);
  }
  process.exitCode = status ?? 1;
}
