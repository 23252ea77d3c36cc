import { HttpError } from "../shared/errors.ts";
import { log } from "../shared/log.ts";

/**
 * A budget of requests. The numbers stand in wrangler.toml too, where the binding counts them; a test compares the two.
 * The binding counts per data centre and says only yes or no, so what a client is told is an upper bound.
 *
 * @see https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/
 */
export interface Limit {
  /** In the `RateLimit` fields. */
  name: string;
  binding: "KEY_LIMIT" | "ADDRESS_LIMIT" | "PURGE_LIMIT";
  requests: number;
  periodSeconds: 10 | 60;
}

export const KEY_LIMIT: Limit = { name: "key", binding: "KEY_LIMIT", requests: 400, periodSeconds: 60 };
export const ADDRESS_LIMIT: Limit = { name: "address", binding: "ADDRESS_LIMIT", requests: 1_000, periodSeconds: 60 };
export const PURGE_LIMIT: Limit = { name: "purge", binding: "PURGE_LIMIT", requests: 10, periodSeconds: 60 };

type Bindings = Partial<Record<Limit["binding"], { limit(options: { key: string }): Promise<{ success: boolean }> }>>;

/** @throws HttpError `rate_limited` when `key` has spent its budget */
export async function spend(limit: Limit, env: Bindings, key: string): Promise<void> {
  const binding = env[limit.binding];
  if (binding === undefined) return warnOnce(limit);
  const { success } = await binding.limit({ key });
  if (!success) throw new HttpError({ reason: "rate_limited", ...limit });
}

/** What every answer can say truly of a budget: its size, but not what is left of it. */
export const limitHeaders = ({ name, requests, periodSeconds }: Limit): Record<string, string> => ({
  "ratelimit-policy": `"${name}";q=${requests};w=${periodSeconds}`,
  "x-ratelimit-limit": String(requests),
});

/**
 * The address that a budget is for: all of an IPv4 address, and of an IPv6 address its first 64 bits, within which one
 * subscriber may choose freely (RFC 6177).
 */
export function addressBudget(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const omitted = tail === undefined ? 0 : 8 - groups.length - tail.split(":").filter(Boolean).length;
  const all = [...groups, ...Array<string>(omitted).fill("0"), ...(tail?.split(":") ?? [])];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

const warned = new Set<string>();

function warnOnce({ binding }: Limit): void {
  if (warned.has(binding)) return;
  warned.add(binding);
  log("warn", "no_rate_limit", { binding });
}
