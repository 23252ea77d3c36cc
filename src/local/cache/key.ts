// Cache keys: https://developers.cloudflare.com/workers/cache/cache-keys/

/** Request headers that frameworks take for another method, host or URL. In the key, they poison only their senders. */
const POISONOUS_HEADERS = [
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "x-forwarded-host",
  "x-host",
  "x-forwarded-scheme",
  "x-original-url",
  "x-rewrite-url",
  "forwarded",
  "cloudflare-workers-version-key",
];

/** Conditions and ranges: answered by the cache, never sent to the Worker, which is asked for the whole response. */
export const CONDITIONAL_HEADERS = [
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "range",
];

const SPECIAL_HEADERS: ReadonlySet<string> = new Set([...POISONOUS_HEADERS, ...CONDITIONAL_HEADERS, "upgrade"]);

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The request headers that the cache heeds, by lower-case name.
 *
 * In one pass, because a look-up crosses from JavaScript into the runtime and costs about 0.2 µs: twenty of them would
 * be the dearest part of a hit.
 */
export function specialHeadersOf(headers: Headers): ReadonlyMap<string, string> {
  let special: Map<string, string> | undefined;
  headers.forEach((value, name) => {
    if (!SPECIAL_HEADERS.has(name)) return;
    special ??= new Map();
    special.set(name, value);
  });
  return special ?? NONE;
}

/**
 * The key of everything stored for a request, before `Vary`. The entrypoint is not in it: each has its own store.
 *
 * @param target what names the resource: {@link targetOf}
 * @returns undefined if the props hold what JSON cannot: two callers might share a key, so such calls bypass the cache
 */
export function keyOf(
  target: string,
  special: ReadonlyMap<string, string>,
  props: unknown,
  version: string | undefined,
): string | undefined {
  if (!isJson(props, 0)) return undefined;
  // JSON and header values hold no raw NUL, and the target, which may, comes last: the parts cannot run together.
  return `${JSON.stringify([version, props])}\0${special.size === 0 ? "" : poisonOf(special)}\0${target}`;
}

/** `cf.cacheKey` if the caller gave one, else path and query. */
export function targetOf(request: Request): string {
  const custom: unknown = request.cf?.cacheKey;
  return typeof custom === "string" && custom !== "" ? custom : pathAndQueryOf(request.url);
}

/** The path of a URL, as written: no query, no fragment. */
export function pathOf(url: string): string {
  return pathAndQueryOf(url).split("?", 1)[0] as string;
}

/** The values that tell variants apart, compared to the letter; an absent header is not an empty one. */
export function variantOf(vary: readonly string[], headers: Headers): string {
  return vary.length === 0 ? "" : JSON.stringify(vary.map((name) => headers.get(name)));
}

function pathAndQueryOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.indexOf("#", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

function poisonOf(special: ReadonlyMap<string, string>): string {
  const poison = POISONOUS_HEADERS.map((name) => special.get(name) ?? null);
  const scheme = POISONOUS_HEADERS.indexOf("x-forwarded-scheme");
  if (/^https?$/i.test(poison[scheme] ?? "")) poison[scheme] = null;
  return poison.every((value) => value === null) ? "" : JSON.stringify(poison);
}

/** Deeper props than this, or a cycle, are not worth following. */
const MAX_PROPS_DEPTH = 16;

/** Whether JSON carries a value without loss: no Map, Date, binding, NaN … An undefined member is an absent one. */
function isJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      return value === null || (depth < MAX_PROPS_DEPTH && isJsonObject(value, depth + 1));
    default:
      return false;
  }
}

function isJsonObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) return !value.includes(undefined) && value.every((item) => isJson(item, depth));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const name in value) {
    if (!isJson((value as Record<string, unknown>)[name], depth)) return false;
  }
  return true;
}
