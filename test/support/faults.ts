// The ways in which a database that is reached over HTTP fails.
import type { ServerResponse } from "node:http";

export const FAULTS = [
  "hang",
  "reset",
  "429",
  "500",
  "502",
  "cut body",
  "stalled body",
  "no JSON",
  "other JSON",
  "no permit",
  "no connection slot",
  "starting up",
  "statement timeout",
  "SQL error",
  "unknown database",
  "wrong password",
  "lost answer",
] as const;
export type Fault = (typeof FAULTS)[number];

/** A text that must never reach a client or the log. */
export const DRIVER_SECRET = "SECRET-OF-THE-DRIVER";

/** Answers in place of the Neon endpoint. @returns whether the request goes no further */
export function inflict(fault: Fault, response: ServerResponse): boolean {
  switch (fault) {
    case "lost answer":
      // The statement runs, and the answer meets a connection that is gone.
      response.writeHead = response.end = () => {
        response.socket?.destroy();
        return response;
      };
      return false;
    case "hang":
      break;
    case "reset":
      response.socket?.destroy();
      break;
    case "429":
    case "500":
    case "502":
      response.writeHead(Number(fault)).end(`Control plane request failed: ${DRIVER_SECRET}`);
      break;
    case "cut body":
      response.writeHead(200, { "content-length": "1000" });
      response.write('{"command":"SELECT","rows":[', () => response.socket?.destroy());
      break;
    case "stalled body":
      response.writeHead(200, { "content-length": "1000" });
      response.write('{"command":"SELECT","rows":[');
      break;
    case "no JSON":
      response.writeHead(200).end(`<html>${DRIVER_SECRET}</html>`);
      break;
    case "other JSON":
      response.writeHead(200).end(JSON.stringify({ secret: DRIVER_SECRET }));
      break;
    case "no permit":
      sqlError(
        response,
        "",
        "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
        500,
      );
      break;
    case "no connection slot":
      sqlError(response, "53300", "sorry, too many clients already", 500);
      break;
    case "starting up":
      sqlError(response, "57P03", "the database system is starting up");
      break;
    case "statement timeout":
      sqlError(response, "57014", "canceling statement due to statement timeout");
      break;
    case "SQL error":
      sqlError(response, "42P01", `relation "${DRIVER_SECRET}" does not exist`);
      break;
    case "unknown database":
      sqlError(response, "3D000", `database "${DRIVER_SECRET}" does not exist`);
      break;
    case "wrong password":
      sqlError(response, "", `password authentication failed for user '${DRIVER_SECRET}'`);
      break;
  }
  return true;
}

function sqlError(response: ServerResponse, code: string, message: string, status = 400): void {
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify({ message, code, severity: "ERROR", detail: DRIVER_SECRET }));
}
