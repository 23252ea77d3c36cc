import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

type Package = { integrity?: string; resolved?: string; link?: boolean };
const lock: { packages: Record<string, Package> } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const packages = Object.entries(lock.packages).filter(([path, { link }]) => path.startsWith("node_modules/") && !link);
const pathsOf = (some: typeof packages) => some.map(([path]) => path);

// npm leaves out the hashes of packages for other platforms when it takes the others from what is installed.
test("every package is locked to a hash of what is in it, those for other platforms among them", () => {
  expect(pathsOf(packages)).toContain("node_modules/hono");
  expect(pathsOf(packages.filter(([, { integrity }]) => !integrity?.startsWith("sha512-")))).toStrictEqual([]);
});

test("no package is locked to one registry", () => {
  expect(pathsOf(packages.filter(([, { resolved }]) => resolved !== undefined))).toStrictEqual([]);
});
