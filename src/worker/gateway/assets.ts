import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";

/** What src/docs/build.ts lays out. Public, like all that is described there. */
export const ASSET_PATHS = ["/docs", "/docs/:file", "/llms.txt"];

const PAGE = "/docs";
const DOCUMENT = "/v3/openapi.json";

/** Sends people to the page and machines to the document; who does not say what it accepts is a machine. */
export function redirectToDocs(c: Context): Response {
  const accepted = accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "application/json",
  });
  const location = accepted === "text/html" ? PAGE : DOCUMENT;
  // 303: neither is what "/" itself would be (RFC 9110, section 15.4.4).
  return new Response(null, { status: 303, headers: { location, vary: "Accept", ...UNCACHEABLE } });
}

/**
 * Answers with a static file, its validators and the headers of src/docs/_headers.
 *
 * @throws HttpError `no_such_endpoint` if there is no such file
 */
export async function serveAsset(assets: Fetcher, request: Request): Promise<Response> {
  const response = await assets.fetch(request);
  // Nor are there redirects, from names that nobody has been told: /docs/index.html.
  if (!response.ok && response.status !== 304) throw new HttpError({ reason: "no_such_endpoint" });
  // A copy, to which the gateway's own headers can be added.
  return new Response(response.body, response);
}
