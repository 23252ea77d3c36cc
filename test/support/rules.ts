// What a CHECK lets pass and what it refuses: the last value of each, and the first beyond.
import { sql } from "drizzle-orm";

export type Values = Record<string, unknown>;
export const [YEAR_ONE, LAST] = [new Date("0001-01-01T00:00:00.000Z"), new Date("9999-12-31T23:59:59.999Z")];
/** Times that Date cannot write, or that Postgres cannot read from it. */
export const BEYOND = ["10000-01-01 00:00:00+00", "infinity", "0001-12-31 23:59:59.999+00 BC", "-infinity"].map(
  (moment) => sql`${moment}::timestamptz`,
);

/** Rows that a CHECK lets pass, and those that it refuses. */
export type Rule = { good: Values[]; bad: Values[] };

export const times = (n: number, character = "🚀") => character.repeat(n);
const camelCase = (name: string) => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
/** A rule for the values of a column, beside each of the `others`. */
export function rule(column: string, good: readonly unknown[], bad: readonly unknown[], ...others: Values[]): Rule {
  const beside = others.length === 0 ? [{}] : others;
  const rows = (values: readonly unknown[]) =>
    beside.flatMap((one) => values.map((value) => ({ ...one, [camelCase(column)]: value })));
  return { good: rows(good), bad: rows(bad) };
}
/** The same rule for several columns: CHECKs of this kind. */
const each =
  (kind: string, ...values: [good: unknown[], bad: unknown[], ...others: Values[]]) =>
  (columns: string): Record<string, Rule> =>
    Object.fromEntries(columns.split(" ").map((column) => [`${column}_${kind}`, rule(column, ...values)]));

export const MAX = Number.MAX_SAFE_INTEGER;
export const counts = each("range", [1, MAX], [0, MAX + 1]);
export const iso = each("iso", [YEAR_ONE, LAST], BEYOND);
const [nearlyNil, nearlyMax] = ["00000000-0000-0000-0000-00000000000", "ffffffff-ffff-ffff-ffff-fffffffffff"];
/** By the groups that hold its version and its variant. */
const uuid = (groups: string) => `11111111-1111-${groups}-111111111111`;
const malformedUuids = ["0111-8111", "9111-8111", "4111-7111", "4111-c111"].map(uuid);
const wellFormedUuids = [`${nearlyNil}0`, `${nearlyMax}f`, uuid("1111-8111"), uuid("8111-bfff")];
export const uuids = each("uuid", wellFormedUuids, [`${nearlyNil}1`, `${nearlyMax}e`, ...malformedUuids]);
const malformedLabels = ["", "-a", "a-", "A", "a_b", "a.b", times(64, "a"), "a\n"];
export const labels = each("label", ["a", "0", "a-0", times(63, "a"), "a--b"], malformedLabels);
export const stringLists = each("shape", [[], [""], ["a", "b"]], [{}, "a", [1], [null], [["a"]]]);
export const probes = each("shape", [{ tcpSocket: { port: 1 } }], [{ tcpSocket: {} }], { type: "web" });
export const length = (columns: string, low: number, high: number, ...others: Values[]) => {
  const tooShort = low > 0 ? [times(low - 1)] : [];
  return each("length", [times(low), times(high)], [...tooShort, times(high + 1)], ...others)(columns);
};
export const manual = (instanceCount: number) => ({ type: "manual", config: { instanceCount } });
export const between = (minInstanceCount: number, maxInstanceCount: number) => {
  return { type: "horizontal", config: { minInstanceCount, maxInstanceCount } };
};
/** Values of other columns that only a process of this type may have. */
export const onlyFor = (type: string, ...others: Values[]) => {
  const otherTypes = ["web", "worker", "cron", "job", null].filter((one) => one !== type);
  return rule("type", [type], otherTypes, ...others);
};
