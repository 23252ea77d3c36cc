// Which responses are stored and for how long. RFC 9111 as Cloudflare reads it:
// https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics
import CachePolicy from "http-cache-semantics";
import { looksDeceptive } from "./deception.ts";
import { type Directives, fieldNamesOf, instructionsOf, isAboutAll, secondsOf } from "./directives.ts";
import { pathOf } from "./key.ts";

/** The verdict on a response of the Worker. */
export type Verdict = Refusal | Storage;

/** Not stored, with the reason as `Cf-Cache-Status` gives it: told not to, or not eligible to begin with. */
export interface Refusal {
  store: false;
  status: "BYPASS" | "DYNAMIC";
}

/** Stored, and how it may be used. Times in milliseconds. */
export interface Storage {
  store: true;
  /** Age at receipt: other caches may have kept it before. */
  ageMs: number;
  /** Time from age 0 during which it is fresh. */
  lifetimeMs: number;
  staleWhileRevalidateMs: number;
  /** Infinity if the response does not say. */
  staleIfErrorMs: number;
  /** Request headers that select among variants: lower case, sorted, distinct. */
  vary: readonly string[];
  /** Response headers that go to the first client and not into the cache, in lower case. */
  withheld: readonly string[];
}

/**
 * Seconds of freshness by status when a response does not say; other statuses are not cacheable by default.
 *
 * @see https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics
 */
const DEFAULT_LIFETIME_SECONDS: ReadonlyMap<number, number> = new Map([
  [200, 7_200],
  [203, 7_200],
  [204, 7_200],
  [300, 1_200],
  [301, 1_200],
  [404, 180],
  [405, 60],
  [410, 180],
  [414, 60],
  [501, 60],
]);

/** RFC 9111, section 3.5. */
const ALLOW_AUTHORIZED = ["public", "must-revalidate", "s-maxage"];
/** RFC 9111, section 4.2.4. */
const FORBID_STALE = ["s-maxage", "must-revalidate", "proxy-revalidate"];
/** RFC 9111, section 3: what makes any final status storable. */
const ALLOW_ANY_STATUS = ["public", "max-age", "s-maxage"];

const BYPASS: Refusal = { store: false, status: "BYPASS" };
const DYNAMIC: Refusal = { store: false, status: "DYNAMIC" };

/**
 * Judges a response to a GET.
 *
 * @param receivedAt milliseconds since the epoch
 */
export function judge(request: Request, response: Response, receivedAt: number): Verdict {
  const { headers, status } = response;
  const vary = varyOf(headers);
  if (isNeverStored(status) || vary.includes("*")) return BYPASS;

  const override: unknown = request.cf?.cacheControl;
  const instructions = instructionsOf(headers, typeof override === "string" ? override : undefined);
  const directives: Directives = instructions?.directives ?? new Map();
  if (directives.has("no-store") || isAboutAll(directives, "private")) return BYPASS;
  if (!mayStoreCookies(headers, directives)) return BYPASS;
  if (request.headers.has("authorization") && !hasAny(directives, ALLOW_AUTHORIZED)) return BYPASS;

  const expires = instructions?.targeted ? null : headers.get("expires");
  const isExplicit = instructions !== undefined || expires !== null;
  const isCacheableByDefault = DEFAULT_LIFETIME_SECONDS.has(status);
  if (!isCacheableByDefault && expires === null && !hasAny(directives, ALLOW_ANY_STATUS)) return DYNAMIC;
  if (!isExplicit && looksDeceptive(pathOf(request.url), headers.get("content-type"))) return BYPASS;

  const lifetime = isExplicit
    ? explicitLifetimeSeconds(headers, directives, expires, receivedAt)
    : (DEFAULT_LIFETIME_SECONDS.get(status) ?? 0);
  const stale = staleSeconds(directives);
  return {
    store: true,
    ageMs: 1_000 * ageSeconds(headers),
    lifetimeMs: 1_000 * lifetime,
    staleWhileRevalidateMs: 1_000 * stale.whileRevalidate,
    staleIfErrorMs: 1_000 * stale.ifError,
    vary,
    withheld: [...fieldNamesOf(directives, "private"), ...fieldNamesOf(directives, "no-cache").filter(isSetCookie)],
  };
}

/**
 * 101 and 304 are no whole responses, a Worker's own 206 is refused and 520–526 are taken for passing faults.
 *
 * @see https://developers.cloudflare.com/workers/cache/limitations/#status-codes-that-are-never-cached
 */
function isNeverStored(status: number): boolean {
  return status < 200 || status === 206 || status === 304 || (status >= 520 && status <= 526);
}

/** `private="set-cookie"` and `no-cache="set-cookie"` give the rest of the response free. */
function mayStoreCookies(headers: Headers, directives: Directives): boolean {
  if (!headers.has("set-cookie")) return true;
  return [...fieldNamesOf(directives, "private"), ...fieldNamesOf(directives, "no-cache")].some(isSetCookie);
}

function isSetCookie(name: string): boolean {
  return name === "set-cookie";
}

/**
 * `no-cache`; with header names, only if the response has one of them. `Set-Cookie` is withheld from the cache instead.
 *
 * @see https://developers.cloudflare.com/cache/concepts/cache-control/#directives
 */
function isAlwaysStale(headers: Headers, directives: Directives): boolean {
  if (isAboutAll(directives, "no-cache")) return true;
  return fieldNamesOf(directives, "no-cache").some((name) => !isSetCookie(name) && headers.has(name));
}

/**
 * RFC 9111, section 4.2.1. The library gets only what bears on the arithmetic, in its own spelling: it compares
 * directive names to the letter, knows no quoted lists, takes `proxy-revalidate` for a lifetime of zero and guesses one
 * from `Last-Modified`, none of which Cloudflare does.
 */
function explicitLifetimeSeconds(
  headers: Headers,
  directives: Directives,
  expires: string | null,
  receivedAt: number,
): number {
  if (isAlwaysStale(headers, directives)) return 0;
  const explicit = ["s-maxage", "max-age"]
    .filter((name) => directives.has(name))
    // A lifetime that is no number makes a response stale (section 4.2.1).
    .map((name) => `${name}=${secondsOf(directives, name) ?? 0}`);
  const policy = new CachePolicy(
    { headers: {} },
    {
      status: 200,
      headers: {
        "cache-control": explicit.join(", "),
        date: headers.get("date") ?? new Date(receivedAt).toUTCString(),
        ...(expires === null ? {} : { expires }),
      },
    },
  );
  return policy.maxAge();
}

/** RFC 9111, section 5.1; a value that is no number is ignored. */
function ageSeconds(headers: Headers): number {
  const age = headers.get("age") ?? "";
  return /^\d+$/.test(age) ? Number(age) : 0;
}

/**
 * How long a response may be used after it went stale.
 *
 * `no-cache` leaves stale-while-revalidate working and switches stale-if-error off, as Cloudflare documents each.
 *
 * @see https://developers.cloudflare.com/workers/cache/configuration/#automatic-bypass-conditions
 * @see https://developers.cloudflare.com/cache/concepts/cache-control/#revalidation
 */
function staleSeconds(directives: Directives): { whileRevalidate: number; ifError: number } {
  if (hasAny(directives, FORBID_STALE)) return { whileRevalidate: 0, ifError: 0 };
  return {
    whileRevalidate: secondsOf(directives, "stale-while-revalidate") ?? 0,
    ifError: isAboutAll(directives, "no-cache")
      ? 0
      : (secondsOf(directives, "stale-if-error") ?? Number.POSITIVE_INFINITY),
  };
}

function varyOf(headers: Headers): string[] {
  const names = (headers.get("vary") ?? "").split(",").map((name) => name.trim().toLowerCase());
  return [...new Set(names)].filter((name) => name !== "").sort();
}

function hasAny(directives: Directives, names: readonly string[]): boolean {
  return names.some((name) => directives.has(name));
}
