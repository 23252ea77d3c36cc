// What the Worker needs of the document: its operations, the names of its headers, and validators of what operations are sent
// and answer with; and the names of time zones.
// Compiled at build time: building schemas is the dearest part of a cold start, and workerd compiles no code from strings.
import { Ajv } from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import type { Operation, Parameter } from "../worker/shared/operations.ts";
import { contractOf, type createDocument } from "./document.ts";
import { timeZones } from "./time-zones.ts";

type Document = ReturnType<typeof createDocument>;

const METHODS = ["get", "post", "patch", "delete"] as const;

/**
 * Compiles the document to an ES module with the exports that src/worker/shared/openapi.d.ts declares.
 *
 * @returns its source, without imports
 */
export async function compile(document: Document): Promise<string> {
  const validators = new Validators(document);
  const [requests, responses]: [string[], string[]] = [[], []];
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      const id = String(operation.operationId);
      const parameters = operation.parameters?.flatMap((one) => ("in" in one ? [one] : [])) ?? [];
      const parametersIn = (place: string): Parameter[] =>
        parameters
          .filter((one) => one.in === place)
          .map(({ name, required = false, schema }) => ({ name, required, schema: withoutWords(schema) }) as Parameter);
      const body = (operation.requestBody as RequestBody | undefined)?.content["application/json"].schema;
      const answer = operation.responses?.[200].content["application/json"].schema;
      const template = `${document.servers?.[0]?.url}${path}`;
      const placeOf = ({ name }: Parameter) => template.split("/").indexOf(`{${name}}`);
      operations.push({
        id,
        method: method.toUpperCase(),
        template,
        permission: contractOf(id).permission,
        resource: contractOf(id).resource,
        path: parametersIn("path").map((one) => ({ ...one, place: placeOf(one) })),
        query: parametersIn("query"),
        ...(body && fieldsOf(document, body, answer)),
      });
      if (body !== undefined) requests.push(`${id}: ${validators.add(`${id}Request`, body)}`);
      responses.push(`${id}: ${validators.add(`${id}Response`, answer)}`);
    }
  }
  const entry = `
    import * as validators from "validators";
    export const operations = ${JSON.stringify(operations)};
    export const alternatives = ${JSON.stringify(alternativesOf(document))};
    export const headers = ${JSON.stringify(headersIn(document))};
    export const timeZones = ${JSON.stringify(timeZones.join(" "))};
    export const validateRequest = { ${requests.join(", ")} };
    export const validateResponse = { ${responses.join(", ")} };`;
  return bundle(entry, validators.compile());
}

/** In lower case: those that browsers may send, and those that they may read. */
function headersIn({ components }: Document): { request: string[]; response: string[] } {
  const parameters = Object.values(components?.parameters ?? {});
  const namesOf = (names: readonly string[]) => names.map((name) => name.toLowerCase()).sort();
  return {
    request: namesOf(parameters.flatMap((one) => ("in" in one && one.in === "header" ? [one.name] : []))),
    response: namesOf(Object.keys(components?.headers ?? {})),
  };
}

/** A body's schema is a component, for its name in generated clients. */
interface RequestBody {
  content: { "application/json": { schema: { $ref: string } } };
}

type Reference = RequestBody["content"]["application/json"]["schema"];

function fieldsOf({ components }: Document, body: Reference, answer: Reference) {
  const namesIn = ({ $ref }: Reference): string[] => {
    const schema = components?.schemas?.[$ref.slice("#/components/schemas/".length)] as { properties: object };
    return Object.keys(schema.properties);
  };
  const bodyFields = namesIn(body);
  return { bodyFields, readOnlyFields: namesIn(answer).filter((name) => !bodyFields.includes(name)) };
}

/** Ajv's errors name the member, and not its values. @throws if two unions have the same member */
function alternativesOf({ components }: Document): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const schema of Object.values(components?.schemas ?? {})) {
    const { discriminator } = schema as { discriminator?: { propertyName: string; mapping: object } };
    if (discriminator === undefined) continue;
    const { propertyName, mapping } = discriminator;
    if (found[propertyName] !== undefined) throw new Error(`Two unions are told apart by ${propertyName}`);
    found[propertyName] = Object.keys(mapping);
  }
  return found;
}

/** One validator for each schema, whoever refers to it. They find all mistakes, not the first alone. */
class Validators {
  readonly #ajv: Ajv;
  readonly #names: Record<string, string> = {};

  constructor({ components }: Document) {
    // The 2020 dialect would bring code for `unevaluatedProperties` into each validator; the document has none.
    this.#ajv = new Ajv({
      code: { source: true, esm: true },
      messages: false,
      inlineRefs: false,
      discriminator: true,
      // Members of OpenAPI's own, such as `example`.
      strict: false,
      // Each format that the document names has a pattern beside it.
      validateFormats: false,
      allErrors: true,
    });
    // Each by itself: a schema that is a part of another would be compiled anew for each that refers to it.
    for (const [name, schema] of Object.entries(components?.schemas ?? {})) this.#ajv.addSchema(prepared(name, schema));
  }

  /** @param name of a schema that is no component @returns an expression for its validator */
  add(name: string, schema: { $ref?: string }): string {
    const id = schema.$ref?.replace("#/components/schemas/", "") ?? name;
    if (id === name) this.#ajv.addSchema(prepared(name, schema));
    this.#names[id] = id;
    return `validators.${id}`;
  }

  /** @returns source of an ES module, whose errors do not say by which schema they are: nobody asks */
  compile(): string {
    return standaloneCode(this.#ajv, this.#names).replaceAll(/schemaPath:"[^"]*",/g, "");
  }
}

/** Keywords; a field of such a name has an object for its schema. */
const FOR_PEOPLE = new Set(["description", "example"]);

const withoutWords = (schema: object | undefined): object =>
  JSON.parse(
    JSON.stringify(schema, (key, value) =>
      FOR_PEOPLE.has(key) && typeof value !== "object" ? undefined : withDiscriminator(value),
    ),
  );

/** Ajv finds schemas by their `$id`, and keeps them beside their validators: what is for people is left out. */
const prepared = (name: string, schema: object): object => ({
  $id: name,
  ...JSON.parse(JSON.stringify(withoutWords(schema)).replaceAll('"#/components/schemas/', '"')),
});

/** Ajv looks at no value that is not an object where there is a discriminator, and knows no mapping. */
function withDiscriminator(schema: unknown): unknown {
  const { discriminator } = Object(schema) as { discriminator?: { propertyName?: string } };
  if (discriminator?.propertyName === undefined) return schema;
  return { ...Object(schema), type: "object", discriminator: { propertyName: discriminator.propertyName } };
}

/** Ajv's code requires its own runtime for lengths in code points: here it becomes part of the module. */
async function bundle(entry: string, validators: string): Promise<string> {
  const resolveDir = import.meta.dirname;
  const { outputFiles } = await build({
    stdin: { contents: entry, resolveDir },
    bundle: true,
    format: "esm",
    write: false,
    plugins: [
      {
        name: "generated",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^validators$/ }, ({ path }) => ({ path, namespace: "generated" }));
          onLoad({ filter: /.*/, namespace: "generated" }, () => ({ contents: validators, resolveDir }));
        },
      },
    ],
  });
  return String(outputFiles[0]?.text);
}
