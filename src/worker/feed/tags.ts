// Which tags to purge for what has changed: as few as one call takes, and none too fine.
import { EVERY, tagOf } from "../shared/cache.ts";
import type { Change } from "./query.ts";

/** Purges the whole cache, in place of tags. */
export const EVERYTHING = "everything";

/** Tags of a change: its own, and coarser ones that stand in for it where there are too many. */
function chainOf({ kind, resourceId, applicationId, companyId }: Change): string[] {
  if (kind === "everything") return [EVERYTHING];
  const chain = [tagOf(kind, resourceId ?? EVERY)];
  if (applicationId !== null) chain.push(tagOf("application", applicationId));
  if (companyId !== null) chain.push(tagOf("company", companyId));
  return [...new Set([...chain, EVERYTHING])];
}

/**
 * Chooses the tags that cover all changes.
 *
 * @param maxTags where there are more, those that have most in common give way to the next coarser one
 * @returns {@link EVERYTHING} alone if nothing finer will do
 */
export function tagsFor(changes: readonly Change[], maxTags: number): string[] {
  let chains = new Map(changes.map((change) => [chainOf(change)[0] as string, chainOf(change)]));
  while (chains.size > maxTags) chains = coarsened(chains, maxTags);
  return chains.has(EVERYTHING) ? [EVERYTHING] : [...chains.keys()];
}

/** Replaces tags by the one above them, the largest groups first, until there are few enough. */
function coarsened(chains: ReadonlyMap<string, string[]>, maxTags: number): Map<string, string[]> {
  const groups = Map.groupBy(chains.values(), (chain) => chain[1] ?? EVERYTHING);
  const result = new Map(chains);
  for (const [parent, members] of [...groups].sort(([, a], [, b]) => b.length - a.length)) {
    if (result.size <= maxTags) break;
    const [first] = members;
    for (const [tag] of members) result.delete(tag as string);
    result.set(parent, first === undefined || first.length === 1 ? [EVERYTHING] : first.slice(1));
  }
  return result;
}
