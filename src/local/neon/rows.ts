// Rows in Postgres's text format, written as JSON text.
import { EndpointError } from "./errors.ts";

/** A column value in Postgres's text format; null is SQL NULL. */
export type TextValue = string | null;

export interface Column {
  name: string;
  dataTypeID: number;
}

export interface RowFormat {
  /** Rows as arrays rather than objects. */
  arrayMode: boolean;
  /** Every value as the text that Postgres sent; otherwise numbers, booleans, json and arrays become JSON. */
  rawText: boolean;
  /** Element type by array type, for the columns that are arrays; not needed for raw text. */
  elementTypes?: ReadonlyMap<number, number> | undefined;
}

const BOOL = 16;
const INT2 = 21;
const INT4 = 23;
const JSON_TYPE = 114;
const FLOAT4 = 700;
const FLOAT8 = 701;
const JSONB = 3802;

/** Makes the function that writes one row, for a result with these columns. */
export function rowWriter(columns: readonly Column[], format: RowFormat): (row: readonly TextValue[]) => string {
  if (format.rawText && format.arrayMode) return (row) => JSON.stringify(row);
  const writeValue = format.rawText
    ? (value: string) => JSON.stringify(value)
    : (value: string, type: number) => toJson(value, type, format.elementTypes);
  const types = columns.map((column) => column.dataTypeID);
  const values = (row: readonly TextValue[]) =>
    row.map((value, i) => (value === null ? "null" : writeValue(value, types[i] ?? 0)));
  if (format.arrayMode) return (row) => `[${values(row).join(",")}]`;
  // Columns of the same name are written twice, as the proxy does.
  const keys = columns.map((column) => `${JSON.stringify(column.name)}:`);
  return (row) =>
    `{${values(row)
      .map((value, i) => `${keys[i]}${value}`)
      .join(",")}}`;
}

/** int8 and numeric stay strings, as do NaN and the infinities: JSON readers have no such numbers. */
function toJson(text: string, type: number, elementTypes: RowFormat["elementTypes"]): string {
  switch (type) {
    case BOOL:
      return text === "t" ? "true" : "false";
    case INT2:
    case INT4:
    case JSON_TYPE:
    case JSONB:
      return text;
    case FLOAT4:
    case FLOAT8:
      return Number.isFinite(Number(text)) ? text : JSON.stringify(text);
    default: {
      const elementType = elementTypes?.get(type);
      if (elementType === undefined) return JSON.stringify(text);
      return arrayToJson(text, (element) => toJson(element, elementType, elementTypes));
    }
  }
}

/**
 * Rewrites an array's text as JSON. Bounds other than the default are dropped: JSON has no room for them.
 * https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 */
function arrayToJson(text: string, element: (text: string) => string): string {
  const token = /[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+/gsy;
  token.lastIndex = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  let json = "";
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [item, quoted] = match;
    if (quoted !== undefined) json += element(quoted.replace(/\\(.)/gs, "$1"));
    else if (item === "{") json += "[";
    else if (item === "}") json += "]";
    else if (item === ",") json += ",";
    else json += item === "NULL" ? "null" : element(item);
    if (token.lastIndex === text.length) return json;
  }
  throw new EndpointError(500, { message: "could not parse postgres response" });
}
