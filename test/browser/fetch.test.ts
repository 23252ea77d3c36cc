// What a script in a browser may send and read, and what the browser makes of it.
import { expect, test } from "vitest";
import { useApi } from "../support/api.ts";
import { requestHeadersOf, responsesOf } from "../support/document.ts";
import { type Operation, operations } from "../support/operations.ts";
import { createOwnProcess } from "../support/own-process.ts";
import { bearer, useRecords } from "../support/records.ts";
import { useBrowser } from "./browser.ts";

const api = useApi();
const records = useRecords();
const openTab = useBrowser();
const GET = operations.find(({ id }) => id === "getProcessV3") as Operation;

interface Init {
  headers: Record<string, string>;
  cache?: "no-cache" | "no-store" | "reload";
}

/** Opens a page of another origin. @returns what fetches there, with the headers that its script may read */
async function openElsewhere() {
  const elsewhere = new URL("/docs", api.url);
  elsewhere.hostname = api.url.hostname === "localhost" ? "127.0.0.1" : "localhost";
  // The policy of the page lets its scripts call its own origin only.
  const { page, complaints } = await openTab(elsewhere.href, { bypassCSP: true });
  return async (path: string, init: Init) => {
    const sent = await page.evaluate(
      async ([url, init]) => {
        const { status, headers } = await fetch(url, init);
        return { status, headers: Object.fromEntries(headers) };
      },
      [api.url.origin + path, init] as const,
    );
    expect(new Set(complaints.splice(0))).toStrictEqual(new Set([`request to ${api.url.origin}`]));
    return sent;
  };
}

test("a script of another origin sends every header that is documented, and reads every one of the response", async () => {
  const { path, key, get } = await createOwnProcess(api, records);
  // From now on there is an age.
  await get();
  const fetchThere = await openElsewhere();
  const documented = operations.flatMap(({ documentPath, method }) => requestHeadersOf(documentPath, method));
  const traced = {
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "a=b",
    baggage: "a=b",
  };
  const { headers } = bearer(key.token);
  // Conditions that hold, and whatever else.
  const all = Object.fromEntries(documented.map((name) => [name, name.endsWith("match") ? '"x"' : "x"]));
  const response = await fetchThere(path, { headers: { ...all, "if-match": "*", ...traced, ...headers } });
  expect(response.status).toBe(200);
  const { headers: whole } = await get();
  const told = Object.keys(responsesOf(GET.documentPath).get(200)?.headers ?? {}).filter((name) => whole.has(name));
  expect(told).toContain("cache-status");
  expect(Object.keys(response.headers)).toEqual(expect.arrayContaining(told));
});

test("what a browser adds by itself costs no query, and what its script asks for does", async () => {
  const { path, key, get } = await createOwnProcess(api, records);
  const etag = String((await get()).headers.get("etag"));
  const fetchThere = await openElsewhere();
  const control = (value: string) => ({ headers: { "cache-control": value } });
  const conditions = { headers: { "if-none-match": etag } };
  // In this order: from the second on, the browser has a copy, and may send its ETag.
  const queries: Record<string, [queries: number, asked: Partial<Init>]> = {
    "cache: no-cache, without a copy": [0, { cache: "no-cache" }],
    nothing: [0, {}],
    "cache: no-cache": [0, { cache: "no-cache" }],
    "If-None-Match": [0, conditions],
    "If-Modified-Since": [0, { headers: { "if-modified-since": new Date().toUTCString() } }],
    "If-Match": [0, { headers: { "if-match": etag } }],
    "cache: reload, If-None-Match": [0, { ...conditions, cache: "reload" }],
    "max-age=0": [0, control("max-age=0")],
    "cache: reload": [1, { cache: "reload" }],
    "cache: no-store": [1, { cache: "no-store" }],
    "no-cache": [1, control("no-cache")],
    "no-cache, If-None-Match": [1, { headers: { ...conditions.headers, ...control("no-cache").headers } }],
    "no-store": [1, control("no-store")],
    Pragma: [1, { headers: { pragma: "no-cache" } }],
  };
  for (const [what, [expected, { headers, ...options }]] of Object.entries(queries)) {
    const before = api.queries();
    const { status } = await fetchThere(path, { ...options, headers: { ...headers, ...bearer(key.token).headers } });
    expect(status).toBeLessThan(400);
    expect([what, api.queries() - before]).toStrictEqual([what, expected]);
  }
});
