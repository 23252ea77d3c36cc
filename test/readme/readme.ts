import { globSync, readFileSync } from "node:fs";

export interface Block {
  /** Path of the page. */
  page: string;
  /** The heading that it stands under. */
  heading: string;
  language: string;
  text: string;
}

/** Every README.md of the project. */
export const PAGES: readonly string[] = globSync("{,src/**/,test/**/,drizzle/}README.md", {
  exclude: (name) => name.includes("node_modules"),
}).sort();

/** The fenced blocks of a page, in their order. */
export function readBlocks(page: string): Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let open: Block | undefined;
  for (const line of readFileSync(page, "utf8").split("\n")) {
    const fence = /^```(\w*)$/.exec(line);
    if (open && fence) {
      blocks.push(open);
      open = undefined;
    } else if (open) {
      open.text += `${line}\n`;
    } else if (fence) {
      open = { page, heading, language: String(fence[1]), text: "" };
    } else {
      heading = /^#+ (.+)$/.exec(line)?.[1] ?? heading;
    }
  }
  return blocks;
}

/** The lines of a shell block, without those that only comment. */
export const commandsOf = ({ text }: Block): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/\s+# .*$/, ""))
    .filter((line) => line !== "" && !line.startsWith("#"));

/** Where a page's links lead within the project: a path from here, and the anchor of a heading. */
export function linksOf(page: string): { path: string; anchor: string | undefined }[] {
  const text = readFileSync(page, "utf8");
  return [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)].map(([, path, anchor]) => ({
    path: path === "" ? page : new URL(String(path), `file:///${page}`).pathname.slice(1),
    anchor,
  }));
}

/** The anchors of a page's headings, as GitHub makes them. */
export const anchorsOf = (page: string): string[] =>
  [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    String(heading)
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
