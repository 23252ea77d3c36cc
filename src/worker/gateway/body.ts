import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HttpError } from "../shared/errors.ts";

/** media-type (RFC 9110, section 8.3.1); whatever its parameters say, JSON is UTF-8 (RFC 8259, section 8.1). */
const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;

/**
 * Reads a body, and no more of it than `maxBytes`, whether or not its length was announced.
 *
 * @throws HttpError `body_too_large`; `invalid_body` if it is not UTF-8
 */
export async function readText(c: Context, maxBytes: number): Promise<string> {
  const onError = () => {
    throw new HttpError({ reason: "body_too_large", maxBytes });
  };
  await bodyLimit({ maxSize: maxBytes, onError })(c, async () => {});
  const bytes = await c.req.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new HttpError({ reason: "invalid_body", expected: "UTF-8" });
  }
}

/**
 * Reads a body that is to be JSON. An absent one is read as empty: what it should have been is for the Api to say.
 *
 * @throws HttpError as {@link readText}; `unsupported_media_type`
 */
export async function readJson(c: Context, maxBytes: number): Promise<string> {
  const { headers } = c.req.raw;
  const text = await readText(c, maxBytes);
  const isPlain = (headers.get("content-encoding") ?? "identity").toLowerCase() === "identity";
  if (text !== "" && !(isPlain && JSON_TYPE.test(headers.get("content-type") ?? ""))) {
    throw new HttpError({ reason: "unsupported_media_type" });
  }
  return text;
}
