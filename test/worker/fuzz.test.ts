import fc from "fast-check";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { startApi, type TestApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { operations } from "../support/operations.ts";
import { randomToken } from "../support/records.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startApi({ connectionString: inject("connectionString") });
});
afterAll(() => api.close());

const [web] = SEED_PROCESSES;

const segment = fc.oneof(
  fc.constantFrom(
    "v3",
    "applications",
    "processes",
    "health",
    "openapi.json",
    "..",
    ".",
    "",
    "%00",
    "%2F",
    "%zz",
    "null",
  ),
  fc.constantFrom(web.applicationId, web.processId),
  fc.uuid(),
  fc.string({ unit: "binary", maxLength: 20 }).map((s) => encodeURIComponent(s.toWellFormed())),
  fc.stringMatching(/^[!-"$-.0->@-~]{1,20}$/),
);
const path = fc.oneof(
  { weight: 2, arbitrary: fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join("/")}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...operations), segment, segment)
      .map(([operation, id, processId]) => operation.path({ id, process_id: processId })),
  },
);
const query = fc.oneof(
  fc.constant(""),
  fc
    .array(
      fc.tuple(fc.constantFrom("limit", "offset", "x", "a b", "🚀"), fc.string({ unit: "binary", maxLength: 10 })),
      {
        maxLength: 4,
      },
    )
    .map(
      (pairs) =>
        `?${new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value.toWellFormed()]))}`,
    ),
  fc.stringMatching(/^\?[!-"$-~]{0,30}$/),
);
const authorization = fc.oneof(
  fc.constantFrom(...Object.values(SEED_TOKENS).map((token) => `Bearer ${token}`)),
  fc.constant(undefined).map(() => `Bearer ${randomToken()}`),
  fc.constant(undefined),
  fc.stringMatching(/^[ -~]{0,40}$/),
  fc.stringMatching(/^Bearer [ -~]{0,80}$/),
);
const headers = fc.dictionary(
  fc.constantFrom(
    "accept",
    "accept-encoding",
    "cache-control",
    "cf-connecting-ip",
    "cookie",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "origin",
    "range",
    "x-forwarded-host",
    "x-http-method-override",
    "x-request-id",
  ),
  fc.oneof(
    fc.constantFrom("*", '"a", W/"b"', "GET", "DELETE", "bytes=0-1", "no-cache"),
    fc.stringMatching(/^[ -~]{0,40}$/),
  ),
);
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constant("GET") },
  { weight: 2, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE", "QUERY") },
);

test("no request is answered with a 5xx, and every failure with the contract's body", async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(path, query, method, authorization, headers, async (path, query, method, authorization, extra) => {
      const response = await api.fetch(path + query, {
        method,
        headers: { ...extra, ...(authorization !== undefined && { authorization }) },
        redirect: "manual",
      });
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(response.headers.get("cache-control")).not.toBeNull();
      const body = await response.text();
      if (response.status < 400 || method === "HEAD") return;
      isError(JSON.parse(body));
      expect(isError.errors).toBeNull();
      expect(JSON.parse(body).status).toBe(response.status);
    }),
    { numRuns: 1_500 },
  );
  // Else the requests went nowhere near the code.
  for (const status of [200, 400, 401, 404, 405]) expect([status, statuses.get(status)]).not.toContain(undefined);
});
