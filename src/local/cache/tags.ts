// https://developers.cloudflare.com/workers/cache/configuration/#cache-tag

/** Printable ASCII without the space: 0x21 to 0x7E. */
const TAG = /^[\x21-\x7e]{1,1024}$/;
const MAX_TAGS = 1_000;

/** The tags of a `Cache-Tag` header in lower case. Invalid ones, and those past the thousandth, are dropped. */
export function parseTags(header: string | null): ReadonlySet<string> {
  const tags = new Set<string>();
  for (const part of (header ?? "").split(",")) {
    const tag = part.trim().toLowerCase();
    if (TAG.test(tag)) tags.add(tag);
    if (tags.size === MAX_TAGS) break;
  }
  return tags;
}
