import { OPERATIONS } from "../resources/index.ts";
import type { Call } from "./call.ts";
import { read } from "./read.ts";
import { write } from "./write.ts";

/** Carries an operation out. @throws HttpError, DatabaseError, what reads and writes throw */
export function respond(call: Call): Promise<Response> {
  const operation = OPERATIONS[call.operation.id];
  if (operation === undefined) throw new Error(`Nothing carries out ${call.operation.id}`);
  return "statement" in operation ? read(call, operation) : write(call, operation);
}
