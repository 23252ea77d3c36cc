import { HttpError } from "../shared/errors.ts";

/** `svl_` and 64 lower-case hexadecimal digits: 256 random bits. */
const TOKEN_PATTERN = /^svl_[0-9a-f]{64}$/;
/** credentials = auth-scheme 1*SP token68 (RFC 9110, section 11.4); the scheme is case-insensitive (section 11.1). */
const BEARER_PATTERN = /^bearer +([\w\-.~+/]+=*)$/i;
/** A scheme is a token (section 5.6.2); whatever ends it, these are Bearer credentials. */
const BEARER_SCHEME_PATTERN = /^bearer(?![\w!#$%&'*+\-.^`|~])/i;

/**
 * Reads the API key of an `Authorization` header (RFC 6750, section 2.1).
 *
 * @returns the token; `malformed` if Bearer credentials hold no well-formed key; `missing` without Bearer credentials,
 *   which includes other schemes (RFC 6750, section 3.1).
 */
function readApiKey(authorization: string | undefined): { token: string } | "missing" | "malformed" {
  if (authorization === undefined || !BEARER_SCHEME_PATTERN.test(authorization)) return "missing";
  const token = BEARER_PATTERN.exec(authorization)?.[1];
  return token !== undefined && TOKEN_PATTERN.test(token) ? { token } : "malformed";
}

/**
 * Reads and hashes the API key of an `Authorization` header.
 *
 * @throws HttpError `missing_key`, `invalid_key`
 */
export async function readKeyHash(authorization: string | undefined): Promise<string> {
  const key = readApiKey(authorization);
  if (key === "missing") throw new HttpError({ reason: "missing_key" });
  if (key === "malformed") throw new HttpError({ reason: "invalid_key" });
  return hashToken(key.token);
}

/** Whether an `Authorization` header holds one of these secrets as its Bearer token; compared in constant time. */
export async function holdsSecret(authorization: string | undefined, secrets: readonly string[]): Promise<boolean> {
  const token = BEARER_PATTERN.exec(authorization ?? "")?.[1] ?? "";
  // Digests have one length; comparing the texts would tell that of the secret.
  const given = await digest(token);
  const expected = await Promise.all(secrets.map(digest));
  // All of them: which one it is must not be told either.
  return expected.filter((one) => crypto.subtle.timingSafeEqual(given, one)).length > 0;
}

const encoder = new TextEncoder();

/** The SHA-256 of a token in lower-case hexadecimal: all that leaves the gateway, and all that the database stores. */
async function hashToken(token: string): Promise<string> {
  return new Uint8Array(await digest(token)).toHex();
}

const digest = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest("SHA-256", encoder.encode(text));
