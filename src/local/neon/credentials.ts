// Who the request says it is: the Neon-Connection-String header.
import type { IncomingHttpHeaders } from "node:http";
import { EndpointError } from "./errors.ts";

export interface Credentials {
  user: string;
  /** The upstream server's URL with the request's user, password and database. */
  upstreamUrl: string;
}

/**
 * Reads the user, password and database of a request. Host and port of the header only led the driver here.
 *
 * @param ownPassword with it the request has none for Postgres, which asks for none or finds it elsewhere (PGPASSWORD)
 * @throws EndpointError 400 when the header is missing or lacks a part: the driver does not send such a one
 */
export function readCredentials(headers: IncomingHttpHeaders, upstream: URL, ownPassword: string): Credentials {
  const header = String(headers["neon-connection-string"]);
  const url = URL.canParse(header) ? new URL(header) : undefined;
  if (url === undefined || url.username === "" || url.password === "" || url.pathname.length < 2) {
    throw new EndpointError(400, { message: "invalid connection string" });
  }
  const upstreamUrl = new URL(upstream);
  upstreamUrl.username = url.username;
  upstreamUrl.password = url.password === ownPassword ? "" : url.password;
  upstreamUrl.pathname = url.pathname;
  return { user: decodeURIComponent(url.username), upstreamUrl: upstreamUrl.href };
}
