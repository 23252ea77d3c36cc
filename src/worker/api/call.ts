import type { Access } from "../db/access.ts";
import type { Database } from "../db/client.ts";
import type { Config } from "../shared/config.ts";
import type { Operation } from "../shared/operations.ts";

/** The caller, as the gateway tells the Api. Part of the edge's cache key. */
export interface ApiProps {
  /** SHA-256 of the Bearer token in hexadecimal. */
  keyHash?: string;
}

/** One call of an operation. */
export interface Call {
  operation: Operation;
  /** Parameters of the path by name, in canonical form: the gateway has validated them. */
  path: Record<string, string>;
  /** Parameters of the query by name, defaults included. */
  query: Record<string, number>;
  caller: { keyHash: string; requestId: string | undefined };
  config: Config;
  db: Database;
  /** Sees to it that the use of a key is written down. */
  recordUse(access: Access): void;
}

export type Handler = (call: Call) => Promise<Response>;
