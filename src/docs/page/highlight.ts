// Colours of code. Ranges are coloured, so that the code itself stays text:
// https://developer.mozilla.org/en-US/docs/Web/API/CSS_Custom_Highlight_API

/** JSON, and what the samples share with it. */
const TOKENS =
  /(?<name>"(?:[^"\\]|\\.)*"(?=:))|(?<string>"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`)|(?<literal>\b(?:true|false|null|True|False|None|\d+(?:\.\d+)?)\b)/g;

const highlights = { name: new Highlight(), string: new Highlight(), literal: new Highlight() };
for (const [name, highlight] of Object.entries(highlights)) CSS.highlights.set(name, highlight);

const rangesOf = new WeakMap<Element, StaticRange[]>();

/** Replaces the code in `element`. */
export function writeCode(element: Element, code: string): void {
  for (const range of rangesOf.get(element) ?? []) {
    for (const highlight of Object.values(highlights)) highlight.delete(range);
  }
  const text = new Text(code);
  element.replaceChildren(text);
  const ranges: StaticRange[] = [];
  for (const { index, 0: token, groups = {} } of code.matchAll(TOKENS)) {
    const range = new StaticRange({
      startContainer: text,
      startOffset: index,
      endContainer: text,
      endOffset: index + token.length,
    });
    const name = Object.keys(groups).find((group) => groups[group] !== undefined);
    highlights[name as keyof typeof highlights].add(range);
    ranges.push(range);
  }
  rangesOf.set(element, ranges);
}
