import fc from "fast-check";
import { type Document, OpenAPIBackend } from "openapi-backend";
import { beforeAll, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../drizzle/seed.ts";
import { useApi } from "../support/api.ts";
import { mutated } from "../support/arbitraries.ts";
import { isError } from "../support/contract.ts";
import { document, operations } from "../support/operations.ts";
import { randomToken } from "../support/records.ts";

const api = useApi();
beforeAll(() => validator.init());

/** `npm run test:fuzz` makes more than a hundred times as many. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150);
const [web] = SEED_PROCESSES;

const segment = fc.oneof(
  fc.constantFrom(
    ...["v3", "applications", "processes", "health", "openapi.json", "..", ".", "", "%00", "%2F", "%zz", "null"],
  ),
  fc.constantFrom(web.applicationId, web.processId),
  fc.uuid(),
  fc.string({ unit: "binary", maxLength: 20 }).map((s) => encodeURIComponent(s.toWellFormed())),
  fc.stringMatching(/^[!-"$-.0->@-~]{1,20}$/),
);
const method = fc.oneof(
  { weight: 5, arbitrary: fc.constant("GET") },
  { weight: 4, arbitrary: fc.constantFrom("HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE", "QUERY") },
);
/** Twice as often as the others: they have more ways to fail. */
const writes = operations.filter(({ isWrite }) => isWrite);
/** A path, and a method that suits it or not. */
const target = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.array(segment, { maxLength: 7 }).map((segments) => `/${segments.join("/")}`),
      method,
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(...operations, ...writes).chain((operation) =>
      fc.tuple(
        fc
          .record(
            Object.fromEntries(
              Object.entries(operation.examples).map(([name, id]) => [
                name,
                fc.oneof({ weight: 3, arbitrary: fc.constant(id) }, segment),
              ]),
            ),
          )
          .map((ids) => operation.path(ids)),
        fc.oneof({ weight: 2, arbitrary: fc.constant(operation.method) }, method),
      ),
    ),
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
  {
    weight: 8,
    arbitrary: fc.constantFrom(...Object.values(SEED_TOKENS).map((token) => `Bearer ${token}`)),
  },
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
    "if-unmodified-since",
    "idempotency-key",
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
/** Some would be written, but that every write is only tried: other tests read what there is. */
const examples = operations.flatMap((operation) => operation.request().body ?? []).map((body) => JSON.parse(body));
const body = fc.oneof(
  fc.constantFrom(...examples).map((example) => JSON.stringify(example)),
  mutated(fc.constantFrom(...examples)).map((value) => JSON.stringify(value) ?? ""),
  fc.json(),
  fc.string({ unit: "binary", maxLength: 40 }),
);
const type = fc.oneof(
  { weight: 2, arbitrary: fc.constant("application/json") },
  fc.constantFrom("application/json; charset=utf-8", "text/plain", "multipart/form-data"),
);

/** Another's reading of the document. */
const validator = new OpenAPIBackend({
  definition: document as Document,
  apiRoot: "/v3",
  quick: true,
  ajvOpts: { strict: false, logger: false },
});
const validated = new Map<string, number>();

/** What a third party finds in the answer to an operation that the document does not allow. */
function mistakesIn(method: string, response: Response, body: string): unknown {
  const { pathname } = new URL(response.url);
  // Its router takes them for paths without.
  if (pathname.endsWith("/") || pathname.includes("//")) return [];
  const operation = validator.matchOperation({ method: method.toLowerCase(), path: pathname, headers: {} });
  if (operation === undefined) return [];
  const what = `${operation.operationId} ${response.status}`;
  validated.set(what, (validated.get(what) ?? 0) + 1);
  if (!Object.hasOwn(operation.responses ?? {}, response.status)) return `${what} is not documented`;
  if (response.status === 304) return body === "" ? [] : `${what} has a body`;
  return validator.validateResponse(JSON.parse(body), operation, response.status).errors ?? [];
}

test("no request is answered with a 5xx, every failure with the contract's body, and nothing that breaks the document", async () => {
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(target, query, authorization, headers, body, type, async ([path, method], query, ...sent) => {
      const [authorization, extra, body, type] = sent;
      const isWrite = ["POST", "PUT", "PATCH", "DELETE"].includes(method);
      const tried = isWrite ? `${query}${query === "" ? "?" : "&"}dry_run=true` : query;
      const response = await api.fetch(path + tried, {
        method,
        headers: {
          ...extra,
          ...(authorization !== undefined && { authorization }),
          ...(isWrite && { "content-type": type }),
        },
        ...(isWrite && { body }),
        redirect: "manual",
      });
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      expect(response.status).toBeLessThan(500);
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(response.headers.get("cache-control")).not.toBeNull();
      const answer = await response.text();
      if (method === "GET" || isWrite) expect(mistakesIn(method, response, answer)).toStrictEqual([]);
      if (response.status < 400 || method === "HEAD") return;
      isError(JSON.parse(answer));
      expect(isError.errors).toBeNull();
      expect(JSON.parse(answer).status).toBe(response.status);
    }),
    { numRuns: RUNS },
  );
  // Else the requests went nowhere near the code. What is rare is only sure to happen among many.
  for (const status of [200, 400, 401, 404]) expect([status, statuses.get(status)]).not.toContain(undefined);
  if (RUNS < 2_000) return;
  expect([...validated.keys()].filter((what) => what.endsWith(" 200")).length).toBeGreaterThan(6);
  for (const status of [405, 415]) expect([status, statuses.get(status)]).not.toContain(undefined);
}, 0);
