// Cache Deception Armor: https://developers.cloudflare.com/workers/cache/configuration/#cache-control-semantics

/** Media types of file extensions. Cloudflare does not publish its list; these are the extensions of the web. */
const TYPES_BY_EXTENSION: ReadonlyMap<string, readonly string[]> = new Map([
  ["avif", ["image/avif"]],
  ["css", ["text/css"]],
  ["csv", ["text/csv"]],
  ["gif", ["image/gif"]],
  ["gz", ["application/gzip", "application/x-gzip"]],
  ["htm", ["text/html"]],
  ["html", ["text/html"]],
  ["ico", ["image/x-icon", "image/vnd.microsoft.icon"]],
  ["jpeg", ["image/jpeg"]],
  ["jpg", ["image/jpeg"]],
  ["js", ["text/javascript", "application/javascript", "application/x-javascript"]],
  ["json", ["application/json"]],
  ["mjs", ["text/javascript", "application/javascript", "application/x-javascript"]],
  ["mp3", ["audio/mpeg"]],
  ["mp4", ["video/mp4"]],
  ["otf", ["font/otf", "application/font-otf", "application/x-font-otf"]],
  ["pdf", ["application/pdf"]],
  ["png", ["image/png"]],
  ["svg", ["image/svg+xml"]],
  ["ttf", ["font/ttf", "application/font-ttf", "application/x-font-ttf"]],
  ["txt", ["text/plain"]],
  ["wasm", ["application/wasm"]],
  ["webm", ["video/webm"]],
  ["webmanifest", ["application/manifest+json"]],
  ["webp", ["image/webp"]],
  ["woff", ["font/woff", "application/font-woff"]],
  ["woff2", ["font/woff2", "application/font-woff2"]],
  ["xml", ["text/xml", "application/xml"]],
  ["zip", ["application/zip"]],
]);

/** Says "save it, do not show it": never compared. https://developers.cloudflare.com/cache/cache-security/cache-deception-armor/#exceptions */
const DOWNLOAD = "application/octet-stream";

/**
 * Whether a response looks like a personal page under the URL of a static file: its type is `text/*` or
 * `application/*`, and another one than the path's extension promises.
 */
export function looksDeceptive(path: string, contentType: string | null): boolean {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (!/^(?:text|application)\//.test(type) || type === DOWNLOAD) return false;
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase();
  const expected = extension === undefined ? undefined : TYPES_BY_EXTENSION.get(extension);
  return expected !== undefined && !expected.includes(type);
}
