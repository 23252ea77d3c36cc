// A copy of the project, in which a test may change files while others run.
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** @param root where it is to be; the caller removes it */
export function checkOut(root: string): { root: string } {
  mkdirSync(root, { recursive: true });
  for (const path of ["src", "drizzle", "package.json", "tsconfig.json", "wrangler.toml"]) {
    cpSync(path, join(root, path), { recursive: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), join(root, "node_modules"));
  return { root };
}
