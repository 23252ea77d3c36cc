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
  method?: string;
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
  const { path, key } = await createOwnProcess(api, records);
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
  const { headers: whole } = await api.fetch(path, { headers });
  const told = Object.keys(responsesOf(GET.documentPath).get(200)?.headers ?? {}).filter((name) => whole.has(name));
  expect(told).toContain("cache-status");
  expect(Object.keys(response.headers)).toEqual(expect.arrayContaining(told));
});
