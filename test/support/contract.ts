import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../src/contract/${name}`, import.meta.url), "utf8"));

export const processJsonSchema = read("process.schema.json");
export const errorJsonSchema = read("error.schema.json");
export const processExample = read("process.example.json");

// One for all schemas: to make it takes longer than to compile one.
const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
export const compile = (schema: object): ValidateFunction => ajv.compile(schema);

export const isProcess = compile(processJsonSchema);
export const isError = compile(errorJsonSchema);

/** Fails with all that a schema finds wrong. */
export function expectValid(validate: ValidateFunction, value: unknown): void {
  validate(value);
  expect(validate.errors).toBeNull();
}
