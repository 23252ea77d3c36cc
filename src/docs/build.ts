// `npm run build`: what the Worker is bundled with, and the documentation that it serves as static assets.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { build } from "esbuild";
import { buildOpenApi } from "../openapi/build.ts";
import { createDocument } from "../openapi/document.ts";
import { writeLlms } from "./llms.ts";
import { readDocument } from "./reference/document.ts";
import { renderNotFound, renderReference } from "./reference/page.ts";

const OUTPUT = "dist";
const ASSETS = `${OUTPUT}/assets`;

await buildOpenApi(OUTPUT);
await mkdir(`${ASSETS}/docs`, { recursive: true });

// The files that the page asks for. Their names change with their content: they may be cached for ever.
const { metafile } = await build({
  entryPoints: ["page.css", "page.ts", "favicon.svg"].map((name) => join(import.meta.dirname, "page", name)),
  entryNames: "[name].[hash]",
  outdir: `${ASSETS}/docs`,
  bundle: true,
  format: "esm",
  minify: true,
  target: "es2024",
  loader: { ".svg": "copy" },
  metafile: true,
});
const bundled = Object.keys(metafile.outputs).map((path) => basename(path));
const find = (extension: string) => `/docs/${bundled.find((name) => extname(name) === extension)}`;
const files = { style: find(".css"), script: find(".js"), icon: find(".svg") };

const document = readDocument(createDocument());
await writeFile(`${ASSETS}/_headers`, await readFile(join(import.meta.dirname, "_headers")));
await writeFile(`${ASSETS}/llms.txt`, writeLlms(document));
await writeFile(`${ASSETS}/404.html`, renderNotFound(document.info.title, files));
await writeFile(`${ASSETS}/docs/index.html`, renderReference(document, files));
// At last, so that one that serves meanwhile misses none.
for (const name of await readdir(`${ASSETS}/docs`)) {
  if (name !== "index.html" && !bundled.includes(name)) await rm(`${ASSETS}/docs/${name}`);
}
