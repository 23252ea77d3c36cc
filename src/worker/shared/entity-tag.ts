/** entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE (RFC 9110, section 8.8.3); a comma may be part of one. */
const ENTITY_TAG = /(?:W\/)?"([\x21\x23-\x7e\x80-\xff]*)"/g;

/**
 * The entity tags of an `If-Match` or `If-None-Match`, without quotes.
 *
 * Weak ones count as well: every tag leaves here strong, and what an edge that compresses weakens on the way back and forth is
 * still the same representation.
 *
 * @returns `*` if the header says so
 */
export function entityTagsIn(header: string): readonly string[] | "*" {
  if (header.trim() === "*") return "*";
  return [...header.matchAll(ENTITY_TAG)].map(([, opaque]) => String(opaque));
}
