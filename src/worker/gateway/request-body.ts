import type { Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HttpError } from "../shared/errors.ts";

/** media-type (RFC 9110, section 8.3.1); whatever its parameters say, JSON is UTF-8 (RFC 8259, section 8.1). */
const JSON_TYPE = /^application\/json[ \t]*(?:;|$)/i;

/**
 * Reads a body, and no more of it than `maxBytes`, whether or not its length was announced.
 *
 * @throws HttpError `unsupported_content_coding`; `body_too_large`; `invalid_body` if it is not UTF-8
 */
export const readText = async (c: Context, maxBytes: number): Promise<string> => decode(await readBytes(c, maxBytes));

async function readBytes(c: Context, maxBytes: number): Promise<ArrayBuffer> {
  // A list, whose empty members mean nothing (RFC 9110, sections 5.6.1 and 8.4).
  const codings = (c.req.raw.headers.get("content-encoding") ?? "").toLowerCase().split(",");
  if (codings.some((coding) => !["", "identity"].includes(coding.trim()))) {
    throw new HttpError({ reason: "unsupported_content_coding" });
  }
  const onError = () => {
    throw new HttpError({ reason: "body_too_large", maxBytes });
  };
  await bodyLimit({ maxSize: maxBytes, onError })(c, async () => {});
  return c.req.arrayBuffer();
}

function decode(bytes: ArrayBuffer): string {
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
  const bytes = await readBytes(c, maxBytes);
  if (bytes.byteLength > 0 && !JSON_TYPE.test(headers.get("content-type") ?? "")) {
    throw new HttpError({ reason: "unsupported_media_type", method: c.req.method });
  }
  return decode(bytes);
}
