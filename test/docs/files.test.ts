import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestApi } from "../support/api.ts";
import { isError } from "../support/contract.ts";
import { startDocumentation } from "../support/documentation.ts";
import { type Operation, operations } from "../support/operations.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startDocumentation();
});
afterAll(() => api.close());

/** The files that the page asks for, as it names them. */
async function filesOfPage(): Promise<string[]> {
  const page = await (await api.fetch("/docs")).text();
  const paths = [...page.matchAll(/"(\/docs\/[^"]+)"/g)].map(([, path]) => String(path));
  expect(paths.map((path) => path.split(".").at(-1)).sort()).toStrictEqual(["css", "js", "svg"]);
  return paths;
}

describe("/", () => {
  const locationFor = async (accept: string | undefined) => {
    const headers = accept === undefined ? {} : { accept };
    const response = await api.fetch("/", { redirect: "manual", headers });
    expect(response.status).toBe(303);
    expect(response.headers.get("vary")).toBe("Accept");
    return response.headers.get("location");
  };

  test.for([
    "text/html",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "application/json;q=0.5, TEXT/HTML",
  ])("sends those to the page who accept %s", async (accept) => {
    expect(await locationFor(accept)).toBe("/docs");
  });

  test.for([
    undefined,
    "*/*",
    "application/json",
    "application/json, text/plain, */*",
    "text/html;q=0.1, application/json",
    "text/html;q=0",
    "image/png",
  ])("sends those to the document who accept %s", async (accept) => {
    expect(await locationFor(accept)).toBe("/v3/openapi.json");
  });
});

describe("/docs", () => {
  test("is a page that may run its own files and nothing else", async () => {
    const response = await api.fetch("/docs");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    const policy = String(response.headers.get("content-security-policy"));
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(policy).not.toMatch(/https?:|\*/);
    for (const name of ["x-request-id", "strict-transport-security", "x-content-type-options", "referrer-policy"]) {
      expect([name, response.headers.has(name)]).toStrictEqual([name, true]);
    }
  });

  test("names its files by their content, to be kept for ever", async () => {
    for (const path of await filesOfPage()) {
      const response = await api.fetch(path);
      expect([path, response.status]).toStrictEqual([path, 200]);
      expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(path).toMatch(/\.[0-9A-Z]{8}\.\w+$/);
    }
  });

  test("itself is asked for again, and may then be a 304", async () => {
    const full = await api.fetch("/docs");
    expect(full.headers.get("cache-control")).toBe("public, max-age=300");
    const headers = { "if-none-match": String(full.headers.get("etag")) };
    expect((await api.fetch("/docs", { headers })).status).toBe(304);
  });

  test("is answered for HEAD without a body, and for POST with 405", async () => {
    const head = await api.fetch("/docs", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    const post = await api.fetch("/docs", { method: "POST" });
    expect(post.status).toBe(405);
    expect(isError(await post.json())).toBe(true);
  });

  test("knows no key in production", async () => {
    expect(await (await api.fetch("/docs")).text()).not.toMatch(/svl_[0-9a-f]{8}|demo-key/);
  });
});

describe.for([
  "/docs/",
  "/docs/index.html",
  "/docs/nothing.js",
  "/404",
  "/_headers",
  "/llms",
  "/openapi.json",
  "/v3/nothing",
])("there is no %s", (path) => {
  test("in the words of the contract", async () => {
    const response = await api.fetch(path, { redirect: "manual" });
    expect(response.status).toBe(404);
    expect(response.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
    expect(isError(await response.json())).toBe(true);
  });

  test("on a page, for a person's browser", async () => {
    const accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    const response = await api.fetch(path, { redirect: "manual", headers: { accept } });
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("vary")).toBe("Accept");
    expect(response.headers.get("etag")).toBeNull();
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'self'; img-src 'self';/,
    );
    expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.text()).toContain('<a href="/docs">');
  });
});

test("what fails otherwise speaks the contract's words to a browser, too", async () => {
  const response = await api.fetch("/v3/api-keys/me", { headers: { accept: "text/html" } });
  expect(response.status).toBe(401);
  expect(isError(await response.json())).toBe(true);
});

describe("/llms.txt", () => {
  test("is a page of text that says where the document is", async () => {
    const response = await api.fetch("/llms.txt");
    expect(response.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const text = await response.text();
    expect(text).toBe(await readFile("src/docs/llms.txt", "utf8"));
    expect(text).toContain("/v3/openapi.json");
    expect(text.split("\n").length).toBeLessThan(60);
  });
});

test.for(["README.md", "src/docs/llms.txt"])("%s has a line for each operation", async (file) => {
  const text = await readFile(file, "utf8");
  const isThere = ({ method, template }: Operation) =>
    ["`", "?"].some((end) => text.includes(`\`${method} ${template}${end}`));
  expect(operations.filter((operation) => !isThere(operation)).map(({ id }) => id)).toStrictEqual([]);
});

test("npm run dev, and nothing else, tells the page a key", async () => {
  const local = await startDocumentation({ main: "src/local/worker.ts", vars: { DEMO_KEY: "svl_of-the-seed" } });
  try {
    expect(await (await local.fetch("/docs")).text()).toContain('<meta name="demo-key" content="svl_of-the-seed">');
    expect(await (await local.fetch("/llms.txt")).text()).not.toContain("svl_of-the-seed");
  } finally {
    await local.close();
  }
});
