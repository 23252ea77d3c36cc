// Which tags to purge for what has changed: as few as one call takes, and none too fine.
import { EVERY, tagOf } from "../shared/cache.ts";
import type { Change } from "./query.ts";

/** Purges the whole cache, in place of tags. */
export const EVERYTHING = "everything";

/** A tag, and behind it the coarser ones that stand in for it where there are too many. */
export type Chain = string[];

/** The tags of a change: for the company that its transaction has seen, and for the one that has the application now. */
export function chainsOf({ kind, resourceId, applicationId, companyId, ownerId }: Change): Chain[] {
  if (kind === "everything") return [[EVERYTHING]];
  const tag = tagOf(kind, resourceId ?? EVERY);
  // Each run changes its list several times, at the same minute for many processes: that must not purge what lasts.
  if (kind === "run-list") return [[tag, tagOf(kind, EVERY), EVERYTHING]];
  return [...new Set([companyId, ownerId ?? companyId])].map((id) => {
    const chain = [tag];
    if (applicationId !== null) chain.push(tagOf("application", applicationId));
    if (id !== null) chain.push(tagOf("company", id));
    return [...new Set([...chain, EVERYTHING])];
  });
}

/**
 * Makes the tags that chains begin with as few as one call takes.
 *
 * @param maxTags where there are more, those that have most in common give way to the next coarser one
 */
export function shorten(chains: readonly Chain[], maxTags: number): Chain[] {
  // A thing that has moved has a chain of where it was, and one of where it is.
  let result = distinct(chains);
  for (let tags = tagsOf(result); tags.length > maxTags; tags = tagsOf(result)) {
    result = distinct(coarsened(result, tags.length - maxTags));
  }
  return result;
}

/** The tags that cover all of these. @returns {@link EVERYTHING} alone if nothing finer will do */
export function tagsOf(chains: readonly Chain[]): string[] {
  const tags = new Set(chains.map(([tag]) => tag ?? EVERYTHING));
  return tags.has(EVERYTHING) ? [EVERYTHING] : [...tags];
}

const distinct = (chains: readonly Chain[]): Chain[] => [
  ...new Map(chains.map((chain) => [chain.join(), chain])).values(),
];

/** Shortens chains, those first that have most in common short of everything, until there are so many tags fewer. */
function coarsened(chains: readonly Chain[], tooMany: number): Chain[] {
  let left = tooMany;
  const groups = Map.groupBy(chains, ([, parent]) => parent ?? EVERYTHING);
  const sizeOf = ([parent, members]: [string, Chain[]]) => (parent === EVERYTHING ? 0 : members.length);
  const largestFirst = [...groups].sort((a, b) => sizeOf(b) - sizeOf(a));
  return largestFirst.flatMap(([parent, members]) => {
    if (left <= 0) return members;
    left -= members.length - 1;
    return members.map((chain) => (parent === EVERYTHING ? [EVERYTHING] : chain.slice(1)));
  });
}
