// What a client sends, checked against the document: all that is wrong with it, not the first mistake alone.
import { alternatives, timeZones, validateRequest } from "#openapi";
import { HttpError, MAX_NAME_LENGTH, type Mistake } from "../shared/errors.ts";
import type { Operation, ValidationError, Validator } from "../shared/operations.ts";
import { UUID_PATTERN } from "../shared/uuid.ts";
import type { Call } from "./call.ts";
import type { Loose, Write } from "./operation.ts";

/** A body may have any number of them. */
const MAX_MISTAKES = 50;

/**
 * Reads the body of a call.
 *
 * @throws HttpError `invalid_body` if it is no JSON; `invalid_fields` with every mistake
 */
export async function readBody<T>({ operation, body }: Call, { check }: Write<never, T>): Promise<T> {
  const value = parse(await body());
  const isValid = validateRequest[operation.id] as Validator;
  const mistakes = isValid(value) ? [] : mistakesIn(isValid.errors ?? []).map((one) => explained(one, operation));
  if (isObject(value)) mistakes.push(...unstorableTexts(value), ...(check?.(value as Loose<T>, isTimeZone) ?? []));
  if (mistakes.length === 0) return value as T;
  throw new HttpError({
    reason: "invalid_fields",
    mistakes: mistakes
      .slice(0, MAX_MISTAKES)
      .map(({ field, what }) => ({ field: field.slice(0, MAX_NAME_LENGTH).toWellFormed(), what })),
    ...(mistakes.length > MAX_MISTAKES && { omitted: mistakes.length - MAX_MISTAKES }),
    // Of the body itself, and so of no help with an unknown member of a member.
    ...(mistakes.some(({ field, what }) => what === UNKNOWN && Object.hasOwn(Object(value), field)) && {
      fields: operation.bodyFields ?? [],
    }),
  });
}

const TIME_ZONES = new Set(timeZones.split(" "));
const isTimeZone = (name: string): boolean => TIME_ZONES.has(name);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError({ reason: "invalid_body", expected: text === "" ? "JSON, but it is empty" : "JSON" });
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Texts that Postgres cannot hold, wherever they stand: with U+0000, or half of a surrogate pair. Bodies may be deep. */
function unstorableTexts(body: object): Mistake[] {
  const mistakes: Mistake[] = [];
  const objects = [{ value: body, path: "" }];
  for (const { value, path } of objects) {
    for (const [name, member] of Object.entries(value)) {
      const field = path === "" ? name : `${path}.${name}`;
      if (isObject(member)) objects.push({ value: member, path: field });
      const isStorable = typeof member !== "string" || (member.isWellFormed() && !member.includes("\0"));
      if (!isStorable) mistakes.push({ field, what: UNSTORABLE });
      if (mistakes.length === MAX_MISTAKES) return mistakes;
    }
  }
  return mistakes;
}

/** What can be read is not unknown. */
const explained = ({ field, what }: Mistake, { method, readOnlyFields }: Operation): Mistake => {
  const isReadOnly = what === UNKNOWN && readOnlyFields?.includes(field);
  return {
    field,
    what: isReadOnly ? `cannot be ${method === "POST" ? "set when a process is created" : "changed"}` : what,
  };
};

const UNSTORABLE = "has a character that cannot be stored: U+0000 or half a surrogate pair";
const UNKNOWN = "is unknown";

const oneOf = (values: readonly unknown[]): string =>
  `must be one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;

/** What a keyword of JSON Schema asks of a field: https://ajv.js.org/api.html#error-parameters */
const DEMANDS: Record<string, (params: Record<string, unknown>) => string> = {
  required: () => "is missing",
  additionalProperties: () => UNKNOWN,
  discriminator: ({ tag }) => oneOf(alternatives[tag as string] ?? []),
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
  enum: ({ allowedValues }) => oneOf(allowedValues as unknown[]),
  minimum: ({ limit }) => `must be at least ${limit}`,
  maximum: ({ limit }) => `must be at most ${limit}`,
  // No text needs more than one character.
  minLength: () => "must not be empty",
  // No list does, either.
  minItems: () => "must not be empty",
  maxLength: ({ limit }) => `must have at most ${limit} characters`,
  pattern: ({ pattern }) => (pattern === UUID_PATTERN ? "must be a UUID" : `must match ${pattern}`),
};

const TYPES: Record<string, string> = {
  string: "a string",
  integer: "an integer",
  boolean: "true or false",
  object: "an object",
  array: "an array",
};

function mistakesIn(errors: readonly ValidationError[]): Mistake[] {
  const mistakes: Mistake[] = [];
  /** Several for a field that has alternatives. */
  const types = new Map<string, Set<string>>();
  /** Whose values are listed, which says the type as well. */
  const enumerated = new Set<string>();
  for (const { keyword, instancePath, params } of errors) {
    const path = instancePath.slice(1).split("/").map(unescapePointer);
    const name = params.missingProperty ?? params.additionalProperty ?? params.tag;
    const field = [...path, ...(name === undefined ? [] : [String(name)])].filter(Boolean).join(".");
    const demand = DEMANDS[keyword];
    if (demand !== undefined) mistakes.push({ field, what: demand(params) });
    if (keyword === "enum" || keyword === "const") enumerated.add(field);
    if (keyword !== "type") continue;
    const names = types.get(field) ?? new Set();
    types.set(field, names);
    for (const type of [params.type].flat()) names.add(TYPES[String(type)] ?? String(type));
  }
  const fields = [...mistakes.map(({ field }) => field), ...types.keys()];
  const ofType: Mistake[] = [];
  for (const [field, names] of types) {
    if (enumerated.has(field)) continue;
    // Where something inside is wrong, one of the alternatives was meant.
    if (fields.some((other) => field !== "" && other.startsWith(`${field}.`))) continue;
    ofType.push({ field, what: `must be ${[...names].join(" or ")}` });
  }
  // First: what else is wrong with such a field follows from it.
  return [...ofType, ...mistakes];
}

/** https://www.rfc-editor.org/rfc/rfc6901#section-4 */
const unescapePointer = (segment: string): string => segment.replaceAll("~1", "/").replaceAll("~0", "~");
