// How Neon's proxy words what went wrong: always one JSON object with the same keys, whatever failed.
import pg from "pg";
import { BusyError, ConnectError } from "./pool.ts";

/**
 * The fields of an error body, in the proxy's order. The driver copies them onto its `NeonDbError`.
 * Meanings: https://www.postgresql.org/docs/current/protocol-error-fields.html
 */
export interface ErrorFields {
  message: string;
  /** SQLSTATE; empty if the error is not Postgres's. */
  code: string;
  detail: string | null;
  hint: string | null;
  /** Where in the statement, in characters from 1, as text. */
  position: string | null;
  internalPosition: string | null;
  internalQuery: string | null;
  /** ERROR, FATAL or PANIC; empty if the error is not Postgres's. */
  severity: string;
  where: string | null;
  table: string | null;
  column: string | null;
  schema: string | null;
  dataType: string | null;
  constraint: string | null;
  file: string | null;
  line: string | null;
  routine: string | null;
}

/** Ends a request with an HTTP status and an error body. */
export class EndpointError extends Error {
  readonly status: number;
  readonly fields: Partial<ErrorFields>;

  constructor(status: number, fields: Partial<ErrorFields> & Pick<ErrorFields, "message">) {
    super(fields.message);
    this.status = status;
    this.fields = fields;
  }

  /** The error as JSON text, with every key present. */
  get body(): string {
    return JSON.stringify({ ...NO_FIELDS, ...this.fields });
  }
}

const NO_FIELDS: ErrorFields = {
  message: "",
  code: "",
  detail: null,
  hint: null,
  position: null,
  internalPosition: null,
  internalQuery: null,
  severity: "",
  where: null,
  table: null,
  column: null,
  schema: null,
  dataType: null,
  constraint: null,
  file: null,
  line: null,
  routine: null,
};

/** The request's client has hung up. */
export function cancelledError(): EndpointError {
  return new EndpointError(400, { message: "Query cancelled, connection was terminated", code: "08P01" });
}

/** `TooManyConnectionAttempts` in https://github.com/neondatabase/neon/blob/main/proxy/src/serverless/backend.rs */
const BUSY =
  "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.";

/**
 * Translates an upstream failure for the client. A failed statement is 400, whether Postgres refused it or the
 * connection broke under it. Without a connection, wrong credentials and an unknown database are the caller's mistake
 * (400); everything else, such as no free connection slot or nobody listening, is the service's (500).
 */
export function upstreamError(error: unknown, user: string): EndpointError {
  if (error instanceof EndpointError) return error;
  if (error instanceof BusyError) return new EndpointError(500, { message: BUSY });
  if (error instanceof ConnectError) return connectError(error.cause, user);
  if (error instanceof pg.DatabaseError) return new EndpointError(400, postgresFields(error));
  return new EndpointError(400, { message: `error communicating with the server: ${error}` });
}

function connectError(cause: unknown, user: string): EndpointError {
  if (!(cause instanceof pg.DatabaseError))
    return new EndpointError(500, { message: "Couldn't connect to compute node" });
  switch (cause.code) {
    case "28P01": // invalid_password; Postgres says it for unknown roles too
      return new EndpointError(400, { message: `password authentication failed for user '${user}'` });
    case "3D000": // invalid_catalog_name
      return new EndpointError(400, postgresFields(cause));
    default:
      return new EndpointError(500, postgresFields(cause));
  }
}

function postgresFields(error: pg.DatabaseError): Partial<ErrorFields> & Pick<ErrorFields, "message"> {
  return {
    message: error.message,
    code: error.code ?? "",
    detail: error.detail ?? null,
    hint: error.hint ?? null,
    position: error.position ?? null,
    internalPosition: error.internalPosition ?? null,
    internalQuery: error.internalQuery ?? null,
    severity: error.severity ?? "",
    where: error.where ?? null,
    table: error.table ?? null,
    column: error.column ?? null,
    schema: error.schema ?? null,
    dataType: error.dataType ?? null,
    constraint: error.constraint ?? null,
    file: error.file ?? null,
    line: error.line ?? null,
    routine: error.routine ?? null,
  };
}
