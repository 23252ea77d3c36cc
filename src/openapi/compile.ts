// The parts of the document that the Worker needs: its operations, and a validator for each of their payloads. Compiled
// at build time: building schemas is the dearest part of a cold start, and workerd compiles no code from strings.
import { Ajv2020 } from "ajv/dist/2020.js";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";
import type { Operation, Parameter } from "../worker/shared/operations.ts";
import type { createDocument } from "./document.ts";

type Document = ReturnType<typeof createDocument>;

const METHODS = ["get", "post", "patch", "delete"] as const;

/**
 * Compiles the document to an ES module with the exports that src/worker/shared/openapi.d.ts declares.
 *
 * @returns its source, without imports
 */
export async function compile(document: Document): Promise<string> {
  const ajv = new Ajv2020({
    code: { source: true, esm: true },
    inlineRefs: false,
    // Members of OpenAPI's own, such as `example`.
    strict: false,
    // Each format that the document names has a pattern beside it.
    validateFormats: false,
  });
  ajv.addSchema(withAbsoluteRefs({ $id: "document", components: { schemas: document.components?.schemas } }));
  const operations: Operation[] = [];
  const validators: Record<string, string> = {};
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      const id = String(operation.operationId);
      const parameters = operation.parameters?.flatMap((one) => ("in" in one ? [one] : [])) ?? [];
      const parametersIn = (place: string): Parameter[] =>
        parameters
          .filter((one) => one.in === place)
          .map(({ name, required = false, schema }) => ({ name, required, schema }) as Parameter);
      operations.push({
        id,
        method: method.toUpperCase(),
        template: `${document.servers?.[0]?.url}${path}`,
        path: parametersIn("path"),
        query: parametersIn("query"),
      });
      const response = operation.responses?.[200];
      ajv.addSchema(withAbsoluteRefs({ $id: `${id}Response`, ...response.content["application/json"].schema }));
      validators[`${id}Response`] = `${id}Response`;
    }
  }
  const code = standaloneCode(ajv, validators);
  const entry = `
    import * as validators from "validators";
    export const operations = ${JSON.stringify(operations)};
    export const validateResponse = { ${operations.map(({ id }) => `${id}: validators.${id}Response`)} };`;
  return bundle(entry, code);
}

/** Ajv finds components by the `$id` of the schema that holds them. */
const withAbsoluteRefs = (schema: object): object =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"document#/components/'));

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
        name: "validators",
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^validators$/ }, ({ path }) => ({ path, namespace: "generated" }));
          onLoad({ filter: /.*/, namespace: "generated" }, () => ({ contents: validators, resolveDir }));
        },
      },
    ],
  });
  return String(outputFiles[0]?.text);
}
