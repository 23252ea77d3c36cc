import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { writeLlms } from "../../src/docs/llms.ts";
import { readDocument } from "../../src/docs/reference/document.ts";
import { useApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { document, type Operation, operations } from "../support/operations.ts";

const api = useApi();
const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
const UNPUBLISHED = ["/docs//", "/docs/index", "/docs/nothing.js", "/404", "/_headers", "/llms", "/llms.txt/"];

test.for([
  ["/docs", "text/html"],
  ["/docs", BROWSER],
  ["/docs", "application/json;q=0.5, TEXT/HTML"],
  ["/v3/openapi.json", undefined],
  ["/v3/openapi.json", "*/*"],
  ["/v3/openapi.json", "application/json"],
  ["/v3/openapi.json", "application/json, text/plain, */*"],
  ["/v3/openapi.json", "text/html;q=0.1, application/json"],
  ["/v3/openapi.json", "text/html;q=0"],
  ["/v3/openapi.json", "image/png"],
] as const)("/ leads to %s those who accept %s", async ([location, accept]) => {
  const response = await api.fetch("/", { redirect: "manual", headers: accept === undefined ? {} : { accept } });
  expect(response.status).toBe(303);
  expect(Object.fromEntries(response.headers)).toMatchObject({ vary: "Accept", location });
});

test.for([
  ["/docs/", "/docs"],
  ["/docs/?x", "/docs"],
  ["/docs/index.html", "/docs"],
  ["/openapi.json", "/v3/openapi.json"],
] as const)("%s leads to %s", async ([path, location]) => {
  const { status, headers } = await api.fetch(path, { redirect: "manual", method: "HEAD" });
  expect([status, headers.get("location"), headers.get("cache-control")]).toStrictEqual([308, location, "no-store"]);
  expect((await api.fetch(path)).status).toBe(200);
  expect((await api.fetch(path, { method: "POST" })).status).toBe(405);
});

test("/docs is a page that may run its own files and nothing else, and has no key entered", async () => {
  const response = await api.fetch("/docs");
  expect(response.status).toBe(200);
  const headers = Object.fromEntries(response.headers);
  expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(headers["content-security-policy"]).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
  expect(headers["content-security-policy"]).not.toMatch(/unsafe|https?:|\*/);
  const common = ["x-request-id", "strict-transport-security", "x-content-type-options", "referrer-policy"];
  expect(Object.keys(headers)).toEqual(expect.arrayContaining(common));
  expect(await response.text()).not.toMatch(/svl_[0-9a-f]{8}|demo-key/);
});

test("/docs names its files by their content, to be kept for ever", async () => {
  const page = await (await api.fetch("/docs")).text();
  const paths = [...page.matchAll(/"(\/docs\/[^"]+)"/g)].map(([, path]) => String(path));
  expect(paths.map((path) => path.split(".").at(-1)).sort()).toStrictEqual(["css", "js", "svg"]);
  for (const path of paths) {
    expect(path).toMatch(/\.[0-9A-Z]{8}\.\w+$/);
    const { status, headers } = await api.fetch(path);
    expect([path, status, headers.get("cache-control")]).toStrictEqual([
      path,
      200,
      "public, max-age=31536000, immutable",
    ]);
  }
});

test("/docs must itself be asked for again and may then be a 304, has no body for HEAD, and refuses POST", async () => {
  const full = await api.fetch("/docs");
  expect(full.headers.get("cache-control")).toBe("public, max-age=300");
  const headers = { "if-none-match": String(full.headers.get("etag")) };
  expect((await api.fetch("/docs", { headers })).status).toBe(304);
  const head = await api.fetch("/docs", { method: "HEAD" });
  expect([head.status, await head.text()]).toStrictEqual([200, ""]);
  const post = await api.fetch("/docs", { method: "POST" });
  expect([post.status, isError(await post.json())]).toStrictEqual([405, true]);
});

test.for([...UNPUBLISHED, "/v3/nothing"])(
  "%s is the contract's error for programs, and a page for people",
  async (path) => {
    const response = await api.fetch(path, { redirect: "manual" });
    expect(response.status).toBe(404);
    expect(response.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(isError(await response.json())).toBe(true);

    const page = await api.fetch(path, { redirect: "manual", headers: { accept: BROWSER } });
    expect(page.status).toBe(404);
    expect(page.headers.get("etag")).toBeNull();
    expect(Object.fromEntries(page.headers)).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      vary: "Accept",
      "content-security-policy": expect.stringMatching(/^default-src 'none'; style-src 'self'; img-src 'self';/),
      "x-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(await page.text()).toContain('<a href="/docs">');
  },
);

test("what fails otherwise has the contract's error also for a browser", async () => {
  const response = await api.fetch("/v3/api-keys/me", { headers: { accept: "text/html" } });
  expect([response.status, isError(await response.json())]).toStrictEqual([401, true]);
});

test("/llms.txt is the text that the build writes of the document", async () => {
  const response = await api.fetch("/llms.txt");
  expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await response.text()).toBe(writeLlms(readDocument(document)));
});

test("README.md has a line for each operation", async () => {
  const text = await readFile("README.md", "utf8");
  const isMissing = ({ method, template }: Operation) =>
    !new RegExp(`\`${method} ${RegExp.escape(template)}[?\`]`).test(text);
  expect(operations.filter(isMissing).map(({ id }) => id)).toStrictEqual([]);
});
