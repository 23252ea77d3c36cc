// The documentation: static files, the ways to them, and the page for what does not exist.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { UNCACHEABLE } from "../shared/cache.ts";
import { type Failure, HttpError } from "../shared/errors.ts";
import type { Answer } from "./answer.ts";
import type { GatewayEnv } from "./exchange.ts";

const PAGE = "/docs";
/** Served with a status of 404 alone: it is not among the paths below. */
const NOT_FOUND_PAGE = "/404";
const DOCUMENT = "/v3/openapi.json";
const FULL_DOCUMENT = "/v3/openapi.full.json";

/** Files that the build lays out in dist/assets. Public, like everything that they describe. */
const FILES = [PAGE, "/docs/:file", "/llms.txt", DOCUMENT, FULL_DOCUMENT];

/** Where the page and the document are looked for, and where they are. */
const ALIASES: Record<string, string> = { "/docs/": PAGE, "/docs/index.html": PAGE, "/openapi.json": DOCUMENT };

/** The last alias is one of `/docs/:file`, by which the router finds it. */
export const DOCS_PATHS = ["/", ...FILES, "/docs/", "/openapi.json"];

export function answerDocs(c: Context<GatewayEnv>): Answer | Promise<Answer> {
  const { path, raw } = c.req;
  if (path === "/") {
    // 303: neither is what "/" itself would be (RFC 9110, section 15.4.4).
    const location = acceptedType(c) === "text/html" ? PAGE : DOCUMENT;
    return { status: 303, headers: { location, vary: "Accept", ...UNCACHEABLE }, body: null };
  }
  const location = ALIASES[path];
  // A browser keeps the fragment (RFC 9110, section 10.2.2).
  if (location !== undefined) return { status: 308, headers: { location, ...UNCACHEABLE }, body: null };
  return readAsset(c.env.ASSETS, raw);
}

/** Whether a person or a machine asks. A client that does not say what it accepts is a machine. */
const acceptedType = (c: Context): string =>
  accepts(c, { header: "Accept", supports: ["text/html", "application/json"], default: "application/json" });

/**
 * Answers with a static file, its validators and the headers of src/docs/_headers.
 *
 * @throws HttpError `no_such_endpoint` if there is no such file
 */
async function readAsset(assets: Fetcher, request: Request): Promise<Answer> {
  const { ok, status, headers, body } = await assets.fetch(request);
  // Redirects from names that are not published, such as /docs/index, are refused as well.
  if (!ok && status !== 304) throw new HttpError({ reason: "no_such_endpoint" });
  return { status, headers: Object.fromEntries(headers), body };
}

/** The page that a person is shown for a failure instead of the contract's error, if there is one. */
export async function pageOf({ reason }: Failure, c: Context<GatewayEnv>): Promise<Answer | undefined> {
  if (reason !== "no_such_endpoint" || acceptedType(c) !== "text/html") return undefined;
  const page = new Request(new URL(NOT_FOUND_PAGE, c.req.url));
  const answer = await readAsset(c.env.ASSETS, page).catch(() => undefined);
  if (answer === undefined) return undefined;
  const { etag: _etag, ...others } = answer.headers;
  return { ...answer, status: 404, headers: { ...others, vary: "Accept", ...UNCACHEABLE } };
}
