import { PURGES } from "../../worker/shared/limits.ts";
import type { Changed } from "./worker.ts";

type Kind = keyof Changed;

/** Spreads ids over as few calls as their tags allow, each id once. */
export function batchesOf(changed: Changed): Changed[] {
  const batches: Changed[] = [];
  let batch: Record<string, string[]> = {};
  let tags = 0;
  for (const [kind, ids] of Object.entries(changed) as [Kind, readonly string[]][]) {
    for (const id of new Set(ids)) {
      if (tags + costOf(kind, batch) > PURGES.maxTagsPerCall) {
        batches.push(batch);
        batch = {};
        tags = 0;
      }
      tags += costOf(kind, batch);
      batch[kind] = [...(batch[kind] ?? []), id];
    }
  }
  if (tags > 0) batches.push(batch);
  return batches;
}

/** The tags that one more id of this kind costs: the first machine size of a call brings that of the list of them all. */
const costOf = (kind: Kind, batch: Changed): number => (kind === "resource_types" && !batch[kind] ? 2 : 1);
