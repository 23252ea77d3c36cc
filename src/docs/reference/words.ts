// What a schema says, in words. The patterns of known formats and the bound of safe integers say nothing to a reader.
import { raw, html as render } from "hono/html";
import { Marked } from "marked";
import type { Schema } from "./document.ts";

export type Html = ReturnType<typeof render>;

/** What a template takes. Hono renders true and null as nothing, as it does false: a value of the document is made text first. */
type Content = Html | string | number | false | undefined | Content[];

export const html = (strings: TemplateStringsArray, ...contents: Content[]): Html => render(strings, ...contents);

/** Whether a value is sent or received. */
export type Kind = "request" | "response";

/** HTML in a description is text. */
const markdown = new Marked({ renderer: { html: ({ text }) => String(html`${text}`) } });

export const inline = (text = ""): Html => raw(markdown.parseInline(text, { async: false }));
export const paragraphs = (text: string): Html => raw(markdown.parse(text, { async: false }));

const FORMATS: Record<string, string> = { uuid: "UUID", "date-time": "date and time" };

/** Takes null out of a schema. What then remains of several alternatives is in `oneOf`. */
export function withoutNull(schema: Schema): { schema: Schema; isNullable: boolean } {
  const { oneOf, anyOf = oneOf, type, ...rest } = schema;
  if (anyOf !== undefined) {
    const others = anyOf.filter((one) => one.type !== "null");
    const isNullable = others.length < anyOf.length;
    return { schema: others.length === 1 ? { ...others[0], ...rest } : { ...rest, oneOf: others }, isNullable };
  }
  const types = [type].flat().filter((one) => one !== undefined && one !== "null");
  if (types.length > 1) throw new Error(`The reference cannot show several types: ${JSON.stringify(schema)}`);
  const values = schema.enum?.filter((value) => value !== null);
  return {
    schema: { ...rest, ...(types[0] && { type: types[0] }), ...(values && { enum: values }) },
    isNullable: Array.isArray(type) && type.includes("null"),
  };
}

/** Says in Markdown which values are allowed: "integer or null, 1 to 65,535". */
export function describeType(schema: Schema, kind: Kind): string {
  const { schema: inner, isNullable } = withoutNull(schema);
  const bounds = [
    between(inner.minimum, inner.maximum, kind),
    // A reader of a response does not check lengths.
    kind === "request" && between(inner.minLength, inner.maxLength, kind, "character"),
    kind === "request" && between(inner.minItems, inner.maxItems, kind, "item"),
    // A format says more than its pattern.
    inner.pattern !== undefined && inner.format === undefined && `matches \`${inner.pattern}\``,
    inner.default !== undefined && `default \`${JSON.stringify(inner.default)}\``,
  ];
  return [`${listValues(inner)}${isNullable ? " or null" : ""}`, ...bounds].filter(Boolean).join(", ");
}

/** Lists the values, unless the description explains each. */
function listValues(schema: Schema): string {
  const { description = "", const: only, enum: values = only === undefined ? [] : [only] } = schema;
  if (values.every((value) => description.includes(`\`${value}\``))) return typeOf(schema);
  return values.map((value) => `\`${value === "" ? '""' : value}\``).join(", ");
}

/** The type of a value: "integer", "array of string", "UUID". */
export function typeOf(schema: Schema): string {
  const { oneOf, items, format = "", type } = schema;
  if (oneOf !== undefined) return "object";
  if (type === "array" && items !== undefined) {
    const { schema: item, isNullable } = withoutNull(items);
    return `array of ${item.title ?? typeOf(item)}${isNullable ? " or null" : ""}`;
  }
  if (typeof type !== "string")
    throw new Error(`The reference cannot show what has no type: ${JSON.stringify(schema)}`);
  return FORMATS[format] ?? type;
}

function between(
  minimum: number | undefined,
  maximum = Number.MAX_SAFE_INTEGER,
  kind: Kind,
  unit = "",
): string | false {
  const count = (number: number) => `${number.toLocaleString("en")}${unit && ` ${unit}${number === 1 ? "" : "s"}`}`;
  if (maximum < Number.MAX_SAFE_INTEGER) {
    return minimum === undefined ? `at most ${count(maximum)}` : `${minimum.toLocaleString("en")} to ${count(maximum)}`;
  }
  return kind === "request" && minimum !== undefined && `at least ${count(minimum)}`;
}
