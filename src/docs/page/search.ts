// Finds what the page says of operations, parameters, fields, statuses, headers and error reasons, by names and by meaning.
import { find, findAll } from "./dom.ts";

const MAX_FOUND = 25;

interface Entry {
  href: string;
  name: string;
  /** What it is. */
  kind: string;
  /** The heading that it stands under. */
  place: string;
  meaning: string;
}

/** Lists what is looked for instead of the contents, and says how much that is. */
export function enableSearch(): void {
  const entries = findAll("main :is(section[id], article[id], .field, .parameter, .topic)").map(readEntry);
  const found = find("#found");
  const input = find<HTMLInputElement>("#search");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isAsked = words.length > 0;
    const results = isAsked ? search(entries, words) : [];
    found.replaceChildren(...results.slice(0, MAX_FOUND).map((entry) => itemOf(entry, words)));
    find("#found-count").textContent = isAsked ? describeCount(results.length) : "";
    found.hidden = !isAsked;
    find("#all").hidden = isAsked;
  });
}

function describeCount(count: number): string {
  if (count === 0) return "Nothing found";
  return count > MAX_FOUND ? `The first ${MAX_FOUND} of ${count}` : `${count} found`;
}

function search(entries: Entry[], words: string[]): Entry[] {
  const isIn = (text: string) => words.every((word) => text.toLowerCase().includes(word));
  const rank = ({ href, name, kind, place }: Entry) => {
    const isExact = [name, `${name} ${kind}`].some((one) => one.toLowerCase() === words.join(" "));
    const distance = isExact ? 0 : isIn(name) ? 1 : isIn(`${kind} ${name} ${place}`) ? 2 : 3;
    return 10 * distance + href.split(".").length;
  };
  const matching = entries.filter((entry) => isIn(Object.values(entry).join(" ")));
  // The same field of several objects that contain it is one result, the one nearest to the top.
  const same = Map.groupBy(
    matching.sort((a, b) => rank(a) - rank(b)),
    ({ kind, name, meaning }) => [kind, name, meaning].join("\n"),
  );
  return [...same.values()].flatMap(([first]) => first ?? []);
}

function readEntry(element: HTMLElement): Entry {
  const isWhole = element.matches("section, article");
  const own = isWhole ? ":scope > p, :scope > ul, .endpoint, .endpoint + p" : ":scope > p, :scope > dd > p";
  const heading = (of: Element | null) => textOf(of?.querySelector("h1, h2, h3"));
  return {
    href: `#${element.id}`,
    name: isWhole ? heading(element) : textOf(element.querySelector("dt, label, strong")),
    kind: kindOf(element),
    place: isWhole ? "" : heading(element.closest("article, section")),
    meaning: findAll(own, element).map(textOf).join(" "),
  };
}

function kindOf(element: Element): string {
  if (element.matches(".parameter")) return "Parameter";
  if (element.matches(".topic, #start")) return "Introduction";
  if (element.matches("section")) return "Section";
  if (element.matches("article")) return element.id.startsWith("status-") ? "Status" : "Operation";
  if (element.id.startsWith("header-")) return "Header";
  if (element.id.startsWith("error-")) return "Error reason";
  return element.id.includes(".body.") ? "Request field" : "Response field";
}

/** The text of what is rendered, without types. */
function textOf(element?: Element | null): string {
  const texts = [...(element?.childNodes ?? [])].map((node) => (node.nodeName === "SMALL" ? "" : node.textContent));
  return texts.join("").replaceAll(/\s+/g, " ").trim();
}

function itemOf({ href, name, kind, place, meaning }: Entry, words: string[]): HTMLElement {
  const sentences = meaning.split(/(?<=[.:;]) /);
  const said = sentences.find((one) => words.some((word) => one.toLowerCase().includes(word))) ?? sentences[0];
  const [item, link, small] = [
    document.createElement("li"),
    document.createElement("a"),
    document.createElement("small"),
  ];
  link.href = href;
  small.textContent = [place ? `${kind}, ${place}` : kind, said].filter(Boolean).join(": ");
  link.append(name, small);
  item.append(link);
  return item;
}
