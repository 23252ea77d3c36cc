import type { StoredResponse } from "./stored.ts";

/** Which stored responses a purge means: those that any of its fields selects. */
export interface Selection {
  /** In lower case. */
  tags: readonly string[];
  /** Each with its leading slash. */
  pathPrefixes: readonly string[];
  everything: boolean;
}

export function selects(selection: Selection, { tags, place }: Pick<StoredResponse, "tags" | "place">): boolean {
  return (
    selection.everything ||
    selection.tags.some((tag) => tags.has(tag)) ||
    selectsPath(selection.pathPrefixes, place.path)
  );
}

/** Whether a response that is yet to come might be selected: its tags are not known. */
export function mightSelect(selection: Selection, path: string): boolean {
  return selection.everything || selection.tags.length > 0 || selectsPath(selection.pathPrefixes, path);
}

function selectsPath(prefixes: readonly string[], path: string): boolean {
  return prefixes.some((prefix) => path.startsWith(prefix));
}
