// Shared by the endpoint's tests: an endpoint of the file's own, and requests that no driver would send.
import { neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { afterAll, inject } from "vitest";
import { type NeonEndpoint, startNeonEndpoint } from "../../../src/local/neon/endpoint.ts";

/** The test run's Postgres. */
export const upstream = inject("connectionString");

/** PGlite has one session, one role and one database, and cannot cancel. */
export const isEmbedded = String(await onPostgres("SELECT version()")).includes("PGlite");

export const endpoint = await startNeonEndpoint({ connectionString: upstream });
afterAll(() => endpoint.close());

neonConfig.fetchEndpoint = (host, port) => `http://${host}:${port}/sql`;

/** Straight to Postgres, past the endpoint. */
export async function onPostgres(query: string): Promise<unknown> {
  const client = new pg.Client(upstream);
  await client.connect();
  try {
    const { rows } = await client.query({ text: query, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the body is what the test is about to look at.
  json: any;
}

/** `POST /sql`; a body that is not text is sent as JSON. */
export async function post(
  body: unknown,
  headers: Record<string, string> = {},
  { url, connectionString } = endpoint,
  init: RequestInit = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "Neon-Connection-String": connectionString, ...headers },
    ...init,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

export async function withEndpoint(
  options: Partial<Parameters<typeof startNeonEndpoint>[0]>,
  use: (endpoint: NeonEndpoint) => Promise<void>,
): Promise<void> {
  const started = await startNeonEndpoint({ connectionString: upstream, ...options });
  try {
    await use(started);
  } finally {
    await started.close();
  }
}

export async function eventLoopTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
