import type { Database } from "../db/client.ts";
import type { Access } from "../resources/api-key/access.ts";
import type { Conditions } from "../shared/conditions.ts";
import type { Config } from "../shared/config.ts";
import type { Operation } from "../shared/operations.ts";
import type { Trace } from "../shared/trace.ts";

/** The caller, as the gateway tells the Api. Part of the edge's cache key. */
export interface ApiProps {
  /** SHA-256 of the Bearer token in hexadecimal. */
  keyHash?: string;
}

/** What may come with a write, beside its body. */
export interface WriteHeaders {
  idempotencyKey: string | null;
  conditions: Conditions;
}

/** One call of an operation. */
export interface Call {
  operation: Operation;
  /** Parameters of the path by name, in canonical form: the gateway has validated them. */
  path: Record<string, string>;
  /** Parameters of the query by name, defaults included. */
  query: Record<string, number | boolean>;
  /** Method and path, in canonical form. */
  target: string;
  headers: WriteHeaders;
  /** The body as text; empty if there is none. */
  body(): Promise<string>;
  caller: { keyHash: string; trace: Trace };
  config: Config;
  /** Whether what the edge stores can be purged. */
  isPurgeable: boolean;
  db: Database;
  /** Ends the reuse of what has these tags. @returns whether the platform has done so */
  purge(tags: string[]): Promise<boolean>;
  /** Sees to it that the use of a key is written down, and that somebody hears of a feed that is silent. */
  note(access: Access): void;
}
