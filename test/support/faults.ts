// The ways in which a database that is reached over HTTP fails.
import type { ServerResponse } from "node:http";

/** A text that must never reach a client or the log. */
export const DRIVER_SECRET = "SECRET-OF-THE-DRIVER";

const PERMIT =
  "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.";

const QUOTA = "Your account or project has exceeded the compute time quota.";

/** What reaches the Worker instead of the Neon endpoint's response. */
const RESPONSES = {
  hang: () => {},
  reset: (response) => response.socket?.destroy(),
  "429": refuse(429),
  "500": refuse(500),
  "502": refuse(502),
  "cut body": (response) => begin(response, () => response.socket?.destroy()),
  "stalled body": (response) => begin(response),
  "no JSON": (response) => response.end(`<html>${DRIVER_SECRET}</html>`),
  "other JSON": (response) => response.end(JSON.stringify({ secret: DRIVER_SECRET })),
  "no permit": sqlError("", PERMIT, 500),
  "too many attempts": sqlError("", "Too many connections attempts", 500),
  "too many connections": sqlError("", "Too many connections to this endpoint. Please try again later.", 500),
  "spent quota": sqlError("", `${QUOTA} Upgrade your plan to increase limits.`, 402),
  "disabled endpoint": sqlError("", "The endpoint has been disabled. Enable it using Neon API and retry."),
  "no connection slot": sqlError("53300", "sorry, too many clients already", 500),
  "starting up": sqlError("57P03", "the database system is starting up"),
  "going down": sqlError("57P01", "terminating connection due to administrator command"),
  deadlock: sqlError("40P01", "deadlock detected"),
  "broken foreign key": sqlError("23503", "insert or update violates foreign key constraint"),
  "statement timeout": sqlError("57014", "canceling statement due to statement timeout"),
  "SQL error": sqlError("42P01", `relation "${DRIVER_SECRET}" does not exist`),
  "unknown database": sqlError("3D000", `database "${DRIVER_SECRET}" does not exist`),
  "wrong password": sqlError("", `password authentication failed for user '${DRIVER_SECRET}'`),
} satisfies Record<string, (response: ServerResponse) => unknown>;

export type Fault = keyof typeof RESPONSES | "lost answer";

/** Fails a request to the Neon endpoint. @returns whether the request goes no further */
export function inflict(fault: Fault, response: ServerResponse): boolean {
  if (fault !== "lost answer") {
    RESPONSES[fault](response);
    return true;
  }
  // The statement runs, and the response meets a connection that is gone.
  response.writeHead = response.end = () => {
    response.socket?.destroy();
    return response;
  };
  return false;
}

function refuse(status: number) {
  return (response: ServerResponse) => response.writeHead(status).end(`Control plane request failed: ${DRIVER_SECRET}`);
}

function begin(response: ServerResponse, then?: () => void): void {
  response.writeHead(200, { "content-length": "1000" }).write('{"command":"SELECT","rows":[', then);
}

function sqlError(code: string, message: string, status = 400) {
  const body = JSON.stringify({ message, code, severity: "ERROR", detail: DRIVER_SECRET });
  return (response: ServerResponse) => response.writeHead(status, { "content-type": "application/json" }).end(body);
}
