// Reading and answering over Node's HTTP server.
import type { IncomingMessage, ServerResponse } from "node:http";
import { EndpointError } from "./errors.ts";

/**
 * The bound that Neon documents ("64 MB") for requests and for responses over HTTP; the proxy's source has 10 MiB as its
 * default. https://neon.com/docs/serverless/serverless-driver
 */
export const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** @throws EndpointError 413 when the body is larger than {@link MAX_BODY_BYTES}, without waiting for its end. */
export async function readBody(request: IncomingMessage): Promise<string> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof EndpointError) throw error;
    throw new EndpointError(400, { message: `could not read the HTTP request body: ${error}` });
  }
  return Buffer.concat(chunks, bytes).toString();
}

function tooLarge(): EndpointError {
  return new EndpointError(413, { message: `request is too large (max is ${MAX_BODY_BYTES} bytes)` });
}

/** Ends the response with JSON text. Headers that were set before are kept. */
export function answer(response: ServerResponse, status: number, json: string, headers?: Record<string, string>): void {
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
  });
  response.end(json);
}

/** The proxy's list of headers; Neon-Batch-Deferrable is not in it. */
export function answerPreflight(response: ServerResponse): void {
  response.writeHead(200, {
    allow: "OPTIONS, POST",
    "access-control-allow-origin": "*",
    "access-control-allow-headers":
      "Authorization, Neon-Connection-String, Neon-Raw-Text-Output, Neon-Array-Mode, Neon-Pool-Opt-In, Neon-Batch-Read-Only, Neon-Batch-Isolation-Level",
    "access-control-max-age": "86400",
    "content-length": "0",
  });
  response.end();
}
