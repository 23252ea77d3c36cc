// What the bundle has of Zod: wrangler.toml puts this in its place. @hono/zod-openapi uses Zod's namespace as a value,
// which keeps a bundler from dropping anything, translations into fifty languages included: a third of the Worker.
export {
  array,
  boolean,
  discriminatedUnion,
  enum,
  int,
  lazy,
  literal,
  null,
  number,
  object,
  strictObject,
  string,
  union,
  uuid,
  ZodObject,
  ZodType,
} from "zod/v4";
export * as z from "./zod.ts";
