// `npm run build`: what the Worker is bundled with, and the documentation that it serves as static assets.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { build } from "esbuild";
import { buildOpenApi } from "../openapi/build.ts";
import { createDocument } from "../openapi/document.ts";
import { writeLlms } from "./llms.ts";
import { readDocument } from "./reference/document.ts";
import { renderNotFound, renderReference } from "./reference/page.ts";

const OUTPUT = "dist";

const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");

/** The files that the page asks for. Their names change with their content: they may be cached for ever. */
async function bundle(): Promise<{ path: string; contents: Uint8Array }[]> {
  const { outputFiles } = await build({
    entryPoints: ["page.css", "page.ts", "favicon.svg"].map((name) => join(import.meta.dirname, "page", name)),
    entryNames: "[name].[hash]",
    outdir: "docs",
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2024",
    loader: { ".svg": "copy" },
    write: false,
  });
  return outputFiles.map(({ path, contents }) => ({ path: `docs/${basename(path)}`, contents }));
}

/** Every file by its path. */
async function layOut(): Promise<Map<string, string | Uint8Array>> {
  const bundled = await bundle();
  const find = (extension: string) => `/${bundled.find(({ path }) => extname(path) === extension)?.path}`;
  const files = { style: find(".css"), script: find(".js"), icon: find(".svg") };
  const document = readDocument(createDocument());
  return new Map<string, string | Uint8Array>([
    ...bundled.map(({ path, contents }) => [path, contents] as const),
    ["_headers", await read("_headers")],
    ["llms.txt", writeLlms(document)],
    ["404.html", renderNotFound(document.info.title, files)],
    ["docs/index.html", renderReference(document, files)],
  ]);
}

/** Makes `directory` hold these files and no others; one that serves meanwhile misses none. */
async function buildDocs(directory: string): Promise<void> {
  const files = await layOut();
  for (const [path, content] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  for (const path of await readdir(join(directory, "docs"))) {
    if (!files.has(`docs/${path}`)) await rm(join(directory, "docs", path));
  }
}

await buildOpenApi(OUTPUT);
await buildDocs(join(OUTPUT, "assets"));
