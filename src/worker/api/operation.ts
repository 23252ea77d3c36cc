// What carries out an operation of the OpenAPI document: its statement, and what a cached response depends on. What clients see of
// it is its contract, in the same folder and by the same name.
import type { Contract } from "../../openapi/contract.ts";
import type { Statement } from "../db/statement.ts";
import type { Access } from "../resources/api-key/access.ts";
import type { CachePolicy, Tagged } from "../shared/cache.ts";
import type { Failure, Mistake } from "../shared/errors.ts";
import type { PayloadRow } from "../statements/read.ts";
import type { WriteStatements } from "../statements/write.ts";

/** Ids of what a response depends on, beside the key and its company. */
export type Tags = Partial<Record<Tagged, readonly string[]>>;

/** In place of tags: the edge keeps no response, and no client may. */
export const NEVER_CACHED = "never cached";

/** An operation that reads. Placeholders of its statement have the names that parameters have in the path and the query. */
export interface Read<Ids = Record<string, string>, Query = object, Payload = unknown> {
  statement(): Statement<PayloadRow>;
  /** Values of other placeholders. */
  values?(query: Query): object;
  /** What a response depends on, whether or not there is a payload. */
  tags: typeof NEVER_CACHED | ((ids: Ids, access: Access) => Tags);
  /** What it depends on besides, read from the payload. */
  tagsIn?(payload: Payload): Tags;
  /** How long it is fresh while no feed runs, if not as others. */
  freshWithoutFeed?: keyof CachePolicy;
}

/** An operation that writes. */
export interface Write<Ids = Record<string, string>, Body = unknown> {
  statements(): WriteStatements<string>;
  /** Finds what the document's schemas cannot say, in a body that may break them, too. */
  check?(body: Loose<Body>, isTimeZone: (name: string) => boolean): Mistake[];
  /** The body in the one spelling in which requests are compared. */
  canonical?(body: Body): Body;
  /** Values of placeholders that are no parameters. */
  values?(body: Body): object;
  /** The failure of a refusal of its own; undefined of any other. */
  failureOf(refusal: string, fields: readonly string[]): Failure | undefined;
  /** What cached responses show of that which has changed. */
  tags(ids: Ids): Tags;
}

/** A body before anybody knows that its members are what they should be. */
export type Loose<T> = { [Name in keyof T]?: unknown };

type OperationOf<C> =
  C extends Contract<infer Kind, infer Ids, infer Query, infer Body, infer Payload>
    ? Kind extends "read"
      ? Read<Ids, Query, Payload>
      : Write<Ids, Body>
    : never;

/** One for each contract of a resource: `Operations<typeof import("./contract.ts")>`. */
export type Operations<Contracts> = {
  [Name in keyof Contracts as Contracts[Name] extends { route: object } ? Name : never]: OperationOf<Contracts[Name]>;
};
