/**
 * Shapes of jsonb columns, written as predicates of the SQL/JSON path language so that a CHECK can hold them.
 *
 * Every predicate is total: it is true or false for any JSON value, never unknown, because PostgreSQL takes an unknown
 * inside a filter as "no match" and a NULL as a CHECK passed. Hence a type test stands before each comparison, and
 * members are reached through `.keyvalue()`, which does not fail on an absent one. To be used in `strict` mode: the lax
 * mode would unwrap arrays and take `[5]` for `5`.
 *
 * @see https://www.postgresql.org/docs/current/functions-json.html#FUNCTIONS-SQLJSON-PATH
 */
export type Shape = (path: string) => string;

export const string: Shape = (path) => `${path}.type() == "string"`;

export const integer =
  (minimum: number, maximum: number): Shape =>
  (path) =>
    `(${path}.type() == "number" && ${path} >= ${minimum} && ${path} <= ${maximum} && ${path}.floor() == ${path})`;

export const oneOf =
  (...values: string[]): Shape =>
  (path) =>
    `(${path}.type() == "string" && (${values.map((value) => `${path} == "${value}"`).join(" || ")}))`;

export const nullable =
  (shape: Shape): Shape =>
  (path) =>
    `(${path}.type() == "null" || ${shape(path)})`;

export const arrayOf =
  (item: Shape): Shape =>
  (path) =>
    `(${path}.type() == "array" && !exists(${path}[*] ? (!(${item("@")}))))`;

/** An object with the `required` members, perhaps the `optional` ones, and no others. */
export const object =
  (required: Record<string, Shape>, optional: Record<string, Shape> = {}): Shape =>
  (path) => {
    const present = Object.keys(required).map((key) => ` && exists(${path}.keyvalue() ? (@.key == "${key}"))`);
    const allowed = Object.entries({ ...required, ...optional }).map(
      ([key, shape]) => `(@.key == "${key}" && ${shape("@.value")})`,
    );
    return `(${path}.type() == "object"${present.join("")} && !exists(${path}.keyvalue() ? (!(${allowed.join(" || ")}))))`;
  };
