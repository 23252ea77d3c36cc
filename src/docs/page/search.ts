// Finds operations, fields, headers and statuses by their names and by what is said about them.
import { findAll } from "./dom.ts";

const MAX_FOUND = 25;

interface Entry {
  href: string;
  name: string;
  /** The heading that it stands under. */
  place: string;
  meaning: string;
}

/** Lists in `found`, instead of `all`, what is looked for. */
export function enableSearch(input: HTMLInputElement, found: HTMLElement, all: HTMLElement): void {
  const entries = findAll<HTMLAnchorElement>("main :is(h2, h3, dt) > a[href^='#']").map(readEntry);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isIn = (text: string) => words.every((word) => text.toLowerCase().includes(word));
    const named = entries.filter(({ name }) => isIn(name));
    const meant = entries.filter(({ name, meaning }) => !isIn(name) && isIn(`${name} ${meaning}`));
    // The same field of several objects that contain it is one result, the one nearest to the top.
    const results = new Map<string, Entry>();
    for (const entry of [...named, ...meant].sort((a, b) => depthOf(a) - depthOf(b))) {
      const id = `${entry.name} ${entry.meaning}`;
      if (!results.has(id)) results.set(id, entry);
    }
    found.replaceChildren(...[...results.values()].slice(0, MAX_FOUND).map(itemOf));
    found.hidden = words.length === 0;
    all.hidden = words.length > 0;
  });
}

const depthOf = ({ href }: Entry): number => href.split(".").length;

function readEntry(link: HTMLAnchorElement): Entry {
  const field = link.closest(".field");
  const said = (field ?? link.closest("article"))?.querySelector(":scope > dd > p, .endpoint")?.childNodes ?? [];
  return {
    href: link.hash,
    name: link.text,
    place: field?.closest("article, section")?.querySelector("h2, h3")?.textContent ?? "",
    // Without the type.
    meaning: [...said].map((node) => (node.nodeName === "SMALL" ? "" : node.textContent)).join(""),
  };
}

function itemOf({ href, name, place, meaning }: Entry): HTMLElement {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const small = document.createElement("small");
  link.href = href;
  small.textContent = [place, meaning].filter(Boolean).join(": ");
  link.append(name, small);
  item.append(link);
  return item;
}
