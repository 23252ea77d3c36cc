// Cloudflare's API, for the few things that wrangler does not tell.
import { z } from "zod";
import { context } from "../../node/context.ts";
import { CommandError, printable, reasonOf, usageError } from "../../node/errors.ts";
import { accountUrl } from "../support/cloudflare.ts";
import { wrangler } from "./wrangler.ts";

const TIMEOUT_MS = 30_000;

const envelope = z.object({
  result: z.unknown(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })),
});
const token = z.object({ token: z.string() });

/**
 * Asks for something of the account that CLOUDFLARE_ACCOUNT_ID names.
 *
 * @param path below the account
 * @throws CommandError with the words of the API
 */
export async function askCloudflare<T>(method: string, path: string, answer: z.ZodType<T>, body?: unknown): Promise<T> {
  const { CLOUDFLARE_ACCOUNT_ID } = context().env;
  if (!CLOUDFLARE_ACCOUNT_ID) throw usageError("CLOUDFLARE_ACCOUNT_ID is not set.");
  const url = accountUrl(CLOUDFLARE_ACCOUNT_ID) + path;
  const headers = { authorization: `Bearer ${await readToken()}`, "content-type": "application/json" };
  let status: number;
  let json: unknown;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await context().fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "error",
      signal,
    });
    status = response.status;
    json = await response.json().catch(() => undefined);
  } catch (error) {
    throw new CommandError(`Cloudflare's API cannot be reached: ${reasonOf(error)}.`);
  }
  const { result, errors = [] } = envelope.safeParse(json).data ?? {};
  if (status < 300) {
    const parsed = answer.safeParse(result);
    if (parsed.success) return parsed.data;
    throw new CommandError(`Cloudflare's API answered ${method} ${path} as it never did before.`);
  }
  const words = errors.map(({ code, message }) => `${printable(message)} [code: ${code}]`).join(" ");
  throw new CommandError(`Cloudflare's API refused ${method} ${path} (${status}): ${words || "no reason given"}`);
}

/** The environment's, or that of `wrangler login`. */
async function readToken(): Promise<string> {
  const { CLOUDFLARE_API_TOKEN } = context().env;
  if (CLOUDFLARE_API_TOKEN) return CLOUDFLARE_API_TOKEN;
  const { stdout } = await wrangler(["auth", "token", "--json"], { isQuiet: true });
  return token.parse(JSON.parse(stdout)).token;
}
