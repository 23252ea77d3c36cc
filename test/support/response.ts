// What tests read from responses.
import { expect } from "vitest";
import { REASONS } from "../../src/openapi/components/reasons.ts";
import { isError } from "./contract.ts";

/** All of a response that does not differ from one request to the next. */
export async function describeResponse(response: Response) {
  const body = (await response.text()).replaceAll(String(response.headers.get("x-request-id")), "(id)");
  const {
    "x-request-id": _id,
    date: _date,
    "server-timing": _timing,
    ...headers
  }: Record<string, string> = Object.fromEntries(response.headers);
  return { status: response.status, headers, body };
}

/** The body of a failure, after all that holds for each of them. */
export async function errorOf(response: Response, status: number) {
  const body = (await response.json()) as { message: string; status: number; data: { code: string; message: string } };
  isError(body);
  expect(isError.errors).toBeNull();
  expect([response.status, body.status, response.headers.get("cache-control")]).toStrictEqual([
    status,
    status,
    "no-store",
  ]);
  expect(body.data.code).toMatch(/^[0-9a-f-]{36}$/);
  expect(body.data.code).toBe(response.headers.get("x-request-id"));
  return body;
}

/** `Error-Reason`, after it was held to what is documented of it. */
export function reasonOf({ status, headers }: Response): string {
  const reason = String(headers.get("error-reason"));
  expect([reason, REASONS[reason]?.status]).toStrictEqual([reason, status]);
  return reason;
}

/** Ids in a body, wherever they stand. */
export const idsIn = (body: string): string[] => body.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [];
