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
 * @throws EndpointError 400, worded as by the proxy, when the header is missing or lacks a part.
 */
export function readCredentials(headers: IncomingHttpHeaders, upstream: URL, ownPassword: string): Credentials {
  const header = headers["neon-connection-string"];
  if (typeof header !== "string") throw refused("invalid header: neon-connection-string");
  if (!URL.canParse(header)) throw refused("invalid connection string: relative URL without a base");
  const url = new URL(header);
  if (url.protocol !== "postgres:" && url.protocol !== "postgresql:") throw refused("incorrect scheme");
  if (!url.pathname.startsWith("/")) throw refused("missing database name");
  if (url.username === "") throw refused("missing username");
  // A bearer token is for Neon's JWT authentication, which its default endpoint does not accept.
  if (headers.authorization !== undefined || url.password === "") {
    throw refused("missing authentication credentials: required password");
  }
  if (url.hostname === "" || url.hostname.startsWith("[")) throw refused("missing hostname");

  const database = url.pathname.slice(1).split("/", 1)[0] ?? "";
  const user = decoded(url.username);
  if (user === undefined || decoded(url.password + database) === undefined) {
    throw refused("invalid connection string: malformed percent-encoding");
  }
  const upstreamUrl = new URL(upstream);
  upstreamUrl.username = url.username;
  upstreamUrl.password = url.password === ownPassword ? "" : url.password;
  upstreamUrl.pathname = `/${database}`;
  return { user, upstreamUrl: upstreamUrl.href };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refused(message: string): EndpointError {
  return new EndpointError(400, { message });
}
