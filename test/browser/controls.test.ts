// Every control of every operation, by the request that the browser makes of it.
import type { Locator, Page, Request } from "playwright-core";
import { expect, test } from "vitest";
import { LANGUAGES } from "../../src/docs/page/samples.ts";
import { useApi } from "../support/api.ts";
import { resolve } from "../support/document.ts";
import { document, type Operation, operations } from "../support/operations.ts";
import { randomToken } from "../support/records.ts";
import { useBrowser } from "./browser.ts";

interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  schema: { type: string; enum?: unknown[] };
}

interface Documented {
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: { content: { "application/json": { examples: Record<string, { summary: string; value: unknown }> } } };
}

interface Sent {
  method: string;
  path: string;
  query: [string, string][];
  headers: Record<string, string>;
  body: string | null;
}

/** What URLs, shells and HTML take for something of their own. */
const TEXT = `It's "5%" & <a>=b?c#d/e\\é+$KEY`;
/** A list of entity tags. */
const HEADER_TEXT = `"7e1de5", W/"it's"`;
/** What Chromium sends of its own accord. */
const OWN_HEADERS = /^(sec-.*|:.*|accept(-.*)?|user-agent|referer|origin|host|connection|content-length)$/;

const api = useApi();
const openTab = useBrowser();

const paths = document.paths as unknown as Record<string, Record<string, Documented>>;
const documented = ({ documentPath, method }: Operation) => paths[documentPath]?.[method.toLowerCase()] as Documented;

/** What a parameter is chosen from; undefined if it is typed. */
const choicesOf = ({ schema }: Parameter): string[] | undefined =>
  (schema.type === "boolean" ? [true, false] : schema.enum)?.map(String);

async function press(page: Page, form: Locator, method: string): Promise<Sent> {
  const requested = page.waitForRequest("**/v3/**");
  await form.locator(".send").dispatchEvent("click");
  if (method !== "GET") await page.locator("#confirm[open] .send").dispatchEvent("click");
  return read(await requested);
}

async function read(request: Request): Promise<Sent> {
  const { pathname, searchParams } = new URL(request.url());
  const headers = Object.entries(await request.allHeaders()).filter(([name]) => !OWN_HEADERS.test(name));
  return {
    method: request.method(),
    path: pathname,
    query: [...searchParams],
    headers: Object.fromEntries(headers),
    body: request.postData(),
  };
}

test.for(operations)("$id: what is set is sent and shown in every sample, and nothing else", async (operation) => {
  const { method, template } = operation;
  const { parameters = [], requestBody } = documented(operation);
  const controls = parameters.map((parameter) => resolve(parameter) as Parameter);
  const examples = Object.values(requestBody?.content["application/json"].examples ?? {});
  const { page } = await openTab(`${api.url.origin}/docs`);
  let requests = 0;
  await page.route("**/v3/**", (route) => {
    requests++;
    return route.fulfill({ json: {} });
  });
  const article = page.locator(`#${operation.id}`);
  const form = article.getByRole("form");
  for (const details of await form.locator("details:has(.parameter) > summary").all()) await details.click();
  const control = (name: string) => form.getByLabel(name, { exact: true });
  expect(await form.locator("input, select, textarea").count()).toBe(
    controls.length + Number(examples.length > 0) + Number(examples.length > 1),
  );

  /** Presses Send, and expects this request of it and of the samples. */
  async function expectSent(expected: Sent): Promise<void> {
    expect(await press(page, form, method)).toStrictEqual(expected);
    const nameOf = (header: string) =>
      [...controls.map(({ name }) => name), "Content-Type"].find((name) => name.toLowerCase() === header);
    const { authorization: _key, ...others } = expected.headers;
    const url = new URL(api.url.origin + expected.path);
    for (const [name, value] of expected.query) url.searchParams.set(name, value);
    const request = {
      method,
      url: url.href,
      headers: Object.fromEntries(Object.entries(others).map(([name, value]) => [String(nameOf(name)), value])),
      body: expected.body ?? undefined,
    };
    const samples = Object.values(LANGUAGES).map(({ sampleOf }) => sampleOf(request));
    expect(await article.locator(".samples pre").allTextContents()).toStrictEqual(samples);
  }

  const inPath = controls.filter((one) => one.in === "path");
  if (inPath.length > 0) {
    // The browser asks for what is missing.
    await form.locator(".send").dispatchEvent("click");
    for (const { name } of inPath) await control(name).fill(`${name} ${TEXT}`);
  }
  const body = examples.length === 0 ? null : JSON.stringify(examples[0]?.value, null, 2);
  const nothingSet: Sent = {
    method,
    path: template.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(`${name} ${TEXT}`)),
    query: [],
    headers: body === null ? {} : { "content-type": "application/json" },
    body,
  };
  await expectSent(nothingSet);
  expect(requests).toBe(1);

  for (const parameter of controls.filter((one) => one.in !== "path")) {
    const { name, in: place } = parameter;
    const choices = choicesOf(parameter);
    const options = await control(name).locator("option").allTextContents();
    expect(options, name).toStrictEqual(choices === undefined ? [] : ["", ...choices]);
    const set = (value: string) => (choices ? control(name).selectOption(value) : control(name).fill(value));
    for (const value of choices ?? [place === "header" ? HEADER_TEXT : TEXT]) {
      await set(value);
      await expectSent(
        place === "query"
          ? { ...nothingSet, query: [[name, value]] }
          : { ...nothingSet, headers: { [name.toLowerCase()]: value, ...nothingSet.headers } },
      );
    }
    await set("");
  }

  if (examples.length > 0) {
    for (const { summary, value } of examples.length > 1 ? examples : []) {
      await control("Example").selectOption({ label: summary });
      await expectSent({ ...nothingSet, body: JSON.stringify(value, null, 2) });
    }
    const typed = JSON.stringify({ display_name: TEXT, none: null, count: 0, is: false });
    await control("Body").fill(typed);
    await expectSent({ ...nothingSet, body: typed });
    await control("Body").fill("");
    await expectSent({ ...nothingSet, headers: {}, body: null });
    await control("Body").fill(String(body));
  }

  const token = randomToken();
  await page.getByLabel("API key", { exact: true }).fill(token);
  await expectSent({ ...nothingSet, headers: { authorization: `Bearer ${token}`, ...nothingSet.headers } });
});
