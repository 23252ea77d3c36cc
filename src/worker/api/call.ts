import type { Access } from "../db/access.ts";
import type { Database } from "../db/client.ts";
import type { Config } from "../shared/config.ts";
import type { Operation } from "../shared/operations.ts";

/** What the gateway tells the Api about the caller. Part of the key of the edge's cache. */
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
