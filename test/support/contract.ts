import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../src/contract/${name}`, import.meta.url), "utf8"));

export const processJsonSchema = read("process.schema.json");
export const errorJsonSchema = read("error.schema.json");
export const processExample = read("process.example.json");

export function compile(schema: object): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  return ajv.compile(schema);
}

export const isProcess = compile(processJsonSchema);
export const isError = compile(errorJsonSchema);
