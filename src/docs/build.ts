// `npm run build`, second half: lays out the documentation that the Worker serves as static assets.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const OUTPUT = "dist/assets";

const read = (name: string): Promise<string> => readFile(new URL(name, import.meta.url), "utf8");

const library = import.meta.resolve("swagger-ui-dist/package.json");
const readLibrary = (name: string): Promise<string> => readFile(new URL(name, library), "utf8");

/** The files that the page asks for, by the names that it has for them. */
async function filesOfPage(): Promise<Record<string, string>> {
  const licenses = ["LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"];
  return {
    "favicon.svg": await read("page/favicon.svg"),
    "page.css": await read("page/page.css"),
    "page.js": await read("page/page.js"),
    "plugin.js": await read("page/plugin.js"),
    "swagger-ui.css": withoutSourceMap(await readLibrary("swagger-ui.css")),
    "swagger-ui.js": withoutSourceMap(await readLibrary("swagger-ui-bundle.js")),
    "licenses.txt": (await Promise.all(licenses.map(readLibrary))).join("\n"),
  };
}

/** The library's maps stay behind: they would weigh more than all else. */
const withoutSourceMap = (code: string): string => code.replace(/\n\/[/*]# sourceMappingURL=.*\s*$/, "\n");

/** Every file by its path. Those of the page have names that change with their content: they may be cached for ever. */
async function layOut(): Promise<Map<string, string>> {
  const files = new Map([
    ["_headers", await read("_headers")],
    ["llms.txt", await read("llms.txt")],
  ]);
  let page = await read("page/index.html");
  for (const [name, content] of Object.entries(await filesOfPage())) {
    const hashed = name.replace(".", `.${createHash("sha256").update(content).digest("hex").slice(0, 12)}.`);
    page = page.replaceAll(`"/docs/${name}"`, `"/docs/${hashed}"`);
    files.set(`docs/${hashed}`, content);
  }
  return files.set("docs/index.html", page);
}

/** Makes `directory` hold these files and no others; one that serves meanwhile misses none. */
export async function buildDocs(directory: string): Promise<void> {
  const files = await layOut();
  for (const [path, content] of files) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
  for (const path of await readdir(join(directory, "docs"))) {
    if (!files.has(`docs/${path}`)) await rm(join(directory, "docs", path));
  }
}

if (import.meta.main) await buildDocs(OUTPUT);
