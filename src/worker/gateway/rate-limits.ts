import { HttpError } from "../shared/errors.ts";
import type { RateLimit } from "../shared/limits.ts";
import { log } from "../shared/log.ts";

type Bindings = Partial<
  Record<RateLimit["binding"], { limit(options: { key: string }): Promise<{ success: boolean }> }>
>;

/**
 * Counts a request against the budget of `key`. A binding that is missing or fails lets the request pass: budgets hold
 * back floods, they do not decide who may read.
 *
 * @throws HttpError `rate_limited` when the budget is spent
 */
export async function spend(limit: RateLimit, env: Bindings, key: string): Promise<void> {
  let isWithin: boolean;
  try {
    const binding = env[limit.binding];
    if (binding === undefined) return warnOnce(limit, "missing");
    isWithin = (await binding.limit({ key })).success;
  } catch {
    return warnOnce(limit, "failing");
  }
  if (!isWithin) throw new HttpError({ reason: "rate_limited", ...limit });
}

/** The headers that every answer can send truthfully: the size of a budget, but not what is left of it. */
export const limitHeaders = ({ name, requests, periodSeconds }: RateLimit): Record<string, string> => ({
  "ratelimit-policy": `"${name}";q=${requests};w=${periodSeconds}`,
  "x-ratelimit-limit": String(requests),
});

/**
 * The key of an address's budget: an IPv4 address itself, also where IPv6 carries it (RFC 4291, section 2.5.5.2), and the
 * first 64 bits of any other IPv6 address, within which one subscriber may choose freely (RFC 6177).
 */
export function addressBudget(address: string): string {
  const url = `http://[${address}]`;
  if (!URL.canParse(url)) return address;
  // Canonical: lower case, without leading zeros, the longest run of zeros as "::".
  const [head, tail] = new URL(url).hostname.slice(1, -1).split("::");
  const [first, last] = [head?.split(":") ?? [], tail?.split(":") ?? []].map((part) => part.filter(Boolean)) as [
    string[],
    string[],
  ];
  const zeros = Array<string>(8 - first.length - last.length).fill("0");
  const groups = [...first, ...zeros, ...last];
  if (groups.slice(0, 6).join(":") !== "0:0:0:0:0:ffff") return `${groups.slice(0, 4).join(":")}::/64`;
  return groups
    .slice(6)
    .map((group) => Number.parseInt(group, 16))
    .flatMap((bits) => [bits >> 8, bits & 0xff])
    .join(".");
}

const warned = new Set<string>();

function warnOnce({ binding }: RateLimit, state: "missing" | "failing"): void {
  const warning = `${binding} ${state}`;
  if (warned.has(warning)) return;
  warned.add(warning);
  log("warn", "no_rate_limit", { binding, state });
}
