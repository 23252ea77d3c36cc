// Colours of code. Ranges are coloured, so that the code itself stays text:
// https://developer.mozilla.org/en-US/docs/Web/API/CSS_Custom_Highlight_API

/** JSON, and what the samples share with it. */
const TOKENS =
  /(?<name>"(?:[^"\\]|\\.)*"(?=:))|(?<string>"(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`)|(?<literal>\b(?:true|false|null|True|False|None|\d+(?:\.\d+)?)\b)/g;

const highlights: Record<string, Highlight> = {};
for (const name of ["name", "string", "literal"]) {
  highlights[name] = new Highlight();
  CSS.highlights.set(name, highlights[name]);
}

/** Replaces the code in `element`. */
export function writeCode(element: Element, code: string): void {
  for (const highlight of Object.values(highlights)) {
    for (const range of highlight) if (range.startContainer.parentNode === element) highlight.delete(range);
  }
  element.textContent = code;
  const [text] = element.childNodes;
  for (const { index, 0: token, groups = {} } of code.matchAll(TOKENS)) {
    const name = Object.keys(groups).find((group) => groups[group] !== undefined) ?? "";
    const [startContainer, endContainer] = [text as Text, text as Text];
    const range = { startContainer, startOffset: index, endContainer, endOffset: index + token.length };
    highlights[name]?.add(new StaticRange(range));
  }
}
