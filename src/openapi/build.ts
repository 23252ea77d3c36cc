// What the Worker is bundled with, and the document as it is served.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compile } from "./compile.ts";
import { createDocument } from "./document.ts";
import { shorten } from "./shorten.ts";

/** Writes `openapi.js`, `assets/v3/openapi.json` and `assets/v3/openapi.full.json` below `directory`. */
export async function buildOpenApi(directory: string): Promise<void> {
  const document = createDocument();
  const files = {
    "openapi.js": await compile(document),
    "assets/v3/openapi.json": JSON.stringify(shorten(document)),
    "assets/v3/openapi.full.json": JSON.stringify(document),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}
