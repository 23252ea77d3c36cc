import { createDocument } from "../../src/openapi/document.ts";

export const document = createDocument();

export interface Operation {
  /** From the root, with the names of parameters in braces. */
  template: string;
  /** Public if the document asks for no key. */
  isPrivate: boolean;
  /** The path with each parameter filled in. */
  path(values?: Record<string, string>): string;
}

const ANY_UUID = "fb5e5168-4281-4bec-94c5-0d1584e9e657";

/** Every GET of the OpenAPI document. */
export const operations: Operation[] = Object.entries(document.paths ?? {}).map(([path, { get }]) => {
  if (get === undefined) throw new Error(`${path} has no GET`);
  const template = `${document.servers?.[0]?.url}${path}`;
  return {
    template,
    isPrivate: (get.security ?? document.security ?? []).length > 0,
    path: (values = {}) => template.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ANY_UUID),
  };
});
