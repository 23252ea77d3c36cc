import { type NeonDbError, neon } from "@neondatabase/serverless";
import { CommandError, reasonOf } from "../cli/support/errors.ts";
import "./loopback.ts";

const TIMEOUT_MS = 30_000;
/** The driver quotes the answer to a query as it is: the message, and many fields that are null. */
const ERROR_BODY = /\{"message":"(.*?)",.*\}$/s;

/**
 * Asks one query as the Worker asks all of its own, which may fail where node-postgres does not.
 *
 * @param databaseUrl a well-formed one: the driver quotes a malformed one in its error
 * @throws CommandError
 */
export async function assertDriverReaches(databaseUrl: string): Promise<void> {
  try {
    await neon(databaseUrl).query("select 1", [], { fetchOptions: { signal: AbortSignal.timeout(TIMEOUT_MS) } });
  } catch (error) {
    const { message, sourceError } = error as NeonDbError;
    const reason = sourceError === undefined ? message.replace(ERROR_BODY, "$1") : reasonOf(sourceError);
    throw new CommandError(`The Neon driver cannot query the database: ${reason}`);
  }
}
