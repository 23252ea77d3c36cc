import { UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import type { Answer } from "./answer.ts";

const PAGE = "/docs";
/** Served with a status of 404 alone: it is not among the paths below. */
const NOT_FOUND_PAGE = "/404";
const DOCUMENT = "/v3/openapi.json";
const FULL_DOCUMENT = "/v3/openapi.full.json";

/** Files that the build lays out in dist/assets. Public, like everything that they describe. */
export const ASSET_PATHS = [PAGE, "/docs/:file", "/llms.txt", DOCUMENT, FULL_DOCUMENT];

/** Where the page and the document are looked for, and where they are. */
export const ALIASES: Record<string, string> = { "/docs/": PAGE, "/docs/index.html": PAGE, "/openapi.json": DOCUMENT };

/** Sends whoever asks for an alias on. A browser keeps the fragment (RFC 9110, section 10.2.2). */
export const redirectAlias = (location: string): Answer => ({
  status: 308,
  headers: { location, ...UNCACHEABLE },
  body: null,
});

/** Sends people to the page and machines to the document. A client that does not say what it accepts is a machine. */
export function redirectToDocs(accepted: "text/html" | "application/json"): Answer {
  const location = accepted === "text/html" ? PAGE : DOCUMENT;
  // 303: neither is what "/" itself would be (RFC 9110, section 15.4.4).
  return { status: 303, headers: { location, vary: "Accept", ...UNCACHEABLE }, body: null };
}

/**
 * Answers with a static file, its validators and the headers of src/docs/_headers.
 *
 * @throws HttpError `no_such_endpoint` if there is no such file
 */
export async function readAsset(assets: Fetcher, request: Request): Promise<Answer> {
  const { ok, status, headers, body } = await assets.fetch(request);
  // Redirects from names that are not published, such as /docs/index, are refused as well.
  if (!ok && status !== 304) throw new HttpError({ reason: "no_such_endpoint" });
  return { status, headers: Object.fromEntries(headers), body };
}

/** Answers a person's browser for a path that does not exist. */
export async function readNotFoundPage(assets: Fetcher, url: string): Promise<Answer> {
  const { headers, body } = await readAsset(assets, new Request(new URL(NOT_FOUND_PAGE, url)));
  const { etag: _etag, ...others } = headers;
  return { status: 404, headers: { ...others, vary: "Accept", ...UNCACHEABLE }, body };
}
