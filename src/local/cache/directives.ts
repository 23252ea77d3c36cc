/** Cache-Control directives by lower-case name; true for one without a value. */
export type Directives = ReadonlyMap<string, string | true>;

/** The caching instructions of a response that the edge goes by. */
interface Instructions {
  directives: Directives;
  /** They come from a header or caller that speaks to the edge alone, so `Expires` does not count. */
  targeted: boolean;
}

/** cache-directive = token [ "=" ( token / quoted-string ) ] (RFC 9111, section 5.2). */
const DIRECTIVE = /([\w!#$%&'*+.^`|~-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g;

/** Response headers with instructions for the edge alone, the one that wins first (RFC 9213, section 2.2). */
const TARGETED_HEADERS = ["cloudflare-cdn-cache-control", "cdn-cache-control"];

/**
 * Finds the instructions that count: the caller's, then `Cloudflare-CDN-Cache-Control`, `CDN-Cache-Control` and
 * `Cache-Control`. The first that says anything hides the rest.
 *
 * @param override `cf.cacheControl` of the request
 * @returns undefined if the response carries no instructions
 * @see https://developers.cloudflare.com/workers/cache/configuration/#header-precedence
 */
export function instructionsOf(headers: Headers, override: string | undefined): Instructions | undefined {
  for (const value of [override, ...TARGETED_HEADERS.map((name) => headers.get(name))]) {
    const directives = parseDirectives(value);
    if (directives.size > 0) return { directives, targeted: true };
  }
  const directives = parseDirectives(headers.get("cache-control"));
  return directives.size > 0 ? { directives, targeted: false } : undefined;
}

/** Names are case-insensitive; of a repeated directive the first counts (RFC 9111, sections 4.2.1 and 5.2). */
function parseDirectives(value: string | null | undefined): Directives {
  const directives = new Map<string, string | true>();
  for (const [, name, quoted, plain] of (value ?? "").matchAll(DIRECTIVE)) {
    const key = (name as string).toLowerCase();
    if (!directives.has(key)) directives.set(key, quoted ?? plain ?? true);
  }
  return directives;
}

/** A directive's argument in seconds; undefined if it has none or is no number. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** Whether `private` or `no-cache` is about the whole response: it names no headers. */
export function isAboutAll(directives: Directives, name: "private" | "no-cache"): boolean {
  return directives.has(name) && fieldNamesOf(directives, name).length === 0;
}

/** Header names that `private="…"` or `no-cache="…"` lists, in lower case. */
export function fieldNamesOf(directives: Directives, name: "private" | "no-cache"): string[] {
  const value = directives.get(name);
  if (typeof value !== "string") return [];
  return value
    .split(",")
    .map((field) => field.trim().toLowerCase())
    .filter((field) => field !== "");
}
