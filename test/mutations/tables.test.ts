import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readMutations } from "./tables.ts";

test("every mutation has one place in its file, changes it, and names test files that exist", () => {
  const mutations = readMutations();
  expect(mutations.length).toBeGreaterThan(150);
  const isMisplaced = ({ file, text }: { file: string; text: string }) =>
    !existsSync(file) || readFileSync(file, "utf8").split(text).length !== 2;
  const wrong = mutations.filter(
    (one) => isMisplaced(one) || one.text === one.replacement || !one.suites.every((suite) => existsSync(suite)),
  );
  expect(wrong).toStrictEqual([]);
});
