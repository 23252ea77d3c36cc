// The reference as people use it, in a real browser.
import axe, { type AxeResults } from "axe-core";
import type { Locator, Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import { useApi } from "../support/api.ts";
import { resolve } from "../support/document.ts";
import { document, operations } from "../support/operations.ts";
import { bearer } from "../support/records.ts";
import { DESKTOP, PHONE, type TabOptions, useBrowser } from "./browser.ts";

const MAX_TRANSFER_BYTES = 40_000;
const [web, , cron] = SEED_PROCESSES;
const PROCESSES = `/v3/applications/${web.applicationId}/processes`;
const LIST = "List an application's processes";
const IDS = { id: web.applicationId, process_id: web.processId };

interface Documented {
  operationId: string;
  summary: string;
  parameters?: ({ name: string } | { $ref: string })[];
}

const api = useApi();
const openTab = useBrowser();
const open = (path = "/docs", options: TabOptions = {}) => openTab(api.url.origin + path, options);

const formOf = (page: Page, operation: string) => page.getByRole("form", { name: `${operation}: request` });

/** Enters a key and values for an operation. @returns its form */
async function enter(page: Page, operation: string, values: Record<string, string>): Promise<Locator> {
  await page.getByLabel("API key", { exact: true }).fill(web.token);
  const form = formOf(page, operation);
  for (const [label, value] of Object.entries(values)) await form.getByLabel(label, { exact: true }).fill(value);
  return form;
}

const send = (form: Locator) => form.getByRole("button", { name: "Send" }).click();

/** The response, as the page shows it. */
async function shown(form: Locator): Promise<{ status: string; payload: unknown }> {
  const response = form.getByRole("region", { name: "Response" });
  await response.getByText(/^\d+ · \d+ ms$/).waitFor();
  const status = String(await response.getByRole("status").textContent()).slice(0, 3);
  const body = String(await response.locator("code").textContent());
  return { status, payload: body === "" ? undefined : JSON.parse(body) };
}

async function expectProcess(form: Locator, { processId, token }: typeof web | typeof cron): Promise<void> {
  const payload = await (await api.fetch(`${PROCESSES}/${processId}`, bearer(token))).json();
  expect(await shown(form)).toStrictEqual({ status: "200", payload });
}

/** Expects all of an element on the screen. */
async function expectOnScreen(page: Page, element: Locator): Promise<void> {
  const box = await element.boundingBox();
  expect(box?.y).toBeGreaterThan(0);
  expect(Number(box?.y) + Number(box?.height)).toBeLessThanOrEqual(Number(page.viewportSize()?.height));
}

const styleOf = (element: Locator, property: string): Promise<string> =>
  element.evaluate(
    (one, name) => String(one.ownerDocument.defaultView?.getComputedStyle(one).getPropertyValue(name)),
    property,
  );

describe("the reference", () => {
  test("opens for whoever comes to /, has every operation, says where it is, and weighs less than 40 kB", async () => {
    const { page, transferredBytes } = await open("/");
    expect(new URL(page.url()).pathname).toBe("/docs");
    const listed = page.getByRole("navigation").locator("li a");
    for (const { id } of operations) {
      expect(await page.locator(`#${id}`).count(), id).toBe(1);
      expect(await listed.and(page.locator(`[href="#${id}"]`)).count(), id).toBe(1);
    }
    await page.getByText(`${api.url.origin}/v3`, { exact: true }).waitFor();
    await page.waitForLoadState("networkidle");
    const bytes = await transferredBytes();
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(MAX_TRANSFER_BYTES);
  });

  test.for([
    ["/docs#getProcessV3", DESKTOP],
    ["/docs#Process", PHONE],
  ] as const)("shows memory_limit and its unit on one screen, without a click: %s", async ([path, viewport]) => {
    const { page } = await open(path, { viewport });
    const field = page.locator('[id="Process.memory_limit"]');
    expect(await field.textContent()).toMatch(/^\s*memory_limit\s+Memory limit in megabytes integer or null\s*$/);
    await expectOnScreen(page, page.locator("#Process"));
    await expectOnScreen(page, field);
  });

  test("can be read without its script", async () => {
    const { page } = await open("/docs", { javaScriptEnabled: false });
    await page.locator('[id="Process.memory_limit"]').getByText("megabytes").waitFor();
    await page.getByText("takes JavaScript").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).count()).toBe(0);
    expect(await page.getByRole("searchbox").count()).toBe(0);
  });

  test("finds a field by a word of its meaning, unfolds it, and closes the contents", async () => {
    const { page } = await open("/docs", { viewport: PHONE });
    await page.getByRole("button", { name: "Contents" }).click();
    const found = page.locator("#found a");
    await page.getByRole("searchbox", { name: "Search" }).fill("response field seconds between probes");
    expect(await found.count()).toBe(1);
    await found.click();
    await page.getByRole("navigation").waitFor({ state: "hidden" });
    await expectOnScreen(page, page.locator(":target", { hasText: /^\s*periodSeconds/ }));
  });

  test("finds all that the document names, by name and kind, and what needs a permission", async () => {
    const { page } = await open();
    const search = page.getByRole("searchbox", { name: "Search" });
    const found = page.locator("#found a");
    const hrefs = () => found.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    const topics = [...String(document.info.description).matchAll(/^\*\*(.+?)\.\*\*/gm)].map(([, name]) =>
      String(name),
    );
    expect(topics.length).toBeGreaterThan(5);
    const operationsOf = Object.values(document.paths ?? {}).flatMap((item) => Object.values(item)) as Documented[];
    const parameters = new Set(
      operationsOf.flatMap((one) => (one.parameters ?? []).map((two) => (resolve(two) as { name: string }).name)),
    );
    const firsts = [
      ...operationsOf.map(({ summary, operationId }) => [summary, `#${operationId}`]),
      ["updateProcessV3", "#updateProcessV3"],
      ...[...parameters].map((name) => [`${name} parameter`, expect.stringMatching(new RegExp(`^#\\w+\\.${name}$`))]),
      ...topics.map((name) => [name, `#about-${name.toLowerCase().replaceAll(" ", "-")}`]),
      ["schedule request field create", "#createProcessV3.body.schedule"],
      ["port request field update", "#updateProcessV3.body.port"],
      ["memory_limit response", "#Process.memory_limit"],
      ["429", "#status-429"],
      ["etag", "#header-ETag"],
      ["idempotency_key_reused error reason", "#error-idempotency_key_reused"],
    ] as const;
    for (const [words, href] of firsts) {
      await search.fill(String(words));
      expect((await hrefs())[0], String(words)).toEqual(href);
    }
    await search.fill("idempotency_key_reused");
    expect(await page.locator("#found li").first().textContent()).toMatch(/^idempotency_key_reusedError reason, 400: /);
    await search.fill("operation app:update");
    const writes = operations.filter(({ isWrite }) => isWrite).map(({ id }) => `#${id}`);
    expect((await hrefs()).sort()).toStrictEqual(writes.sort());
  });

  test("says how much it has found, and that it is nothing", async () => {
    const { page } = await open();
    const search = page.getByRole("searchbox", { name: "Search" });
    const status = page.getByRole("navigation").getByRole("status");
    for (const [words, said] of [
      ["429 rate limit status", "1 found"],
      ["id", /^The first 25 of \d+$/],
      ["<nothing>", "Nothing found"],
      ["", ""],
    ] as const) {
      await search.fill(words);
      expect(await status.textContent()).toMatch(said instanceof RegExp ? said : new RegExp(`^${said}$`));
    }
    await page.getByRole("navigation").getByRole("link", { name: "Get a process" }).waitFor();
  });

  test("shows a person who is lost a page that leads here", async () => {
    const { page, complaints } = await open("/nothing");
    // The browser reports every response of 400 or more there.
    expect(complaints.splice(0)).toStrictEqual([expect.stringContaining("404 (Not Found)")]);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await styleOf(page.locator("body"), "margin-top")).toBe("0px");
    await page.getByRole("link").click();
    await page.getByRole("heading", { name: "Get a process" }).waitFor();
  });
});

describe("a request", () => {
  test("can be entered and sent with the keyboard only, and its payload is shown", async () => {
    const { page } = await open();
    /** Presses Tab until the focus is on the element of this id. */
    async function tabTo(id: string): Promise<void> {
      const seen: string[] = [];
      while (seen.at(-1) !== id) {
        if (seen.length === 100) throw new Error(`No way to ${id}, but to ${seen.join(", ")}`);
        await page.keyboard.press("Tab");
        seen.push(await page.locator(":focus").evaluateAll(([one]) => one?.id || String(one?.textContent)));
      }
    }
    await tabTo("key");
    await page.keyboard.type(cron.token);
    await page.goto(`${api.url.origin}/docs#getProcessV3`);
    await tabTo("getProcessV3-id");
    await page.keyboard.type(cron.applicationId);
    await page.keyboard.press("Tab");
    await page.keyboard.type(cron.processId);
    const form = formOf(page, "Get a process");
    await form.getByText("with your API key").waitFor();
    await page.keyboard.press("Enter");
    await expectProcess(form, cron);
  });

  test("is filled in, with a demo key and a word that it is one, where npm run dev tells the key", async () => {
    const { page } = await open();
    await page.route("**/docs", async (route) => {
      const response = await route.fetch();
      const meta = `<meta name="demo-key" content="${web.token}">`;
      await route.fulfill({ response, body: (await response.text()).replace("</head>", `${meta}</head>`) });
    });
    await page.reload();
    await page.getByText("A demo key is entered").waitFor();
    const form = formOf(page, "Get a process");
    await form.getByText("with the demo key").waitFor();
    await send(form);
    await expectProcess(form, web);
  });

  test("shows all of a long response", async () => {
    const { page } = await open("/docs", { viewport: PHONE });
    const form = await enter(page, LIST, { id: web.applicationId });
    await send(form);
    expect(await shown(form)).toMatchObject({ status: "200" });
    const [whole = 0, visible] = await form.locator("code.body").evaluate((code) => {
      return [code, code.closest("section")].map((one) => one?.getBoundingClientRect().height);
    });
    expect(whole).toBeGreaterThan(1_500);
    expect(visible).toBeGreaterThan(whole);
  });

  test("without a key, or with a wrong id, is refused in the API's words", async () => {
    const { page, complaints } = await open();
    const keyless = formOf(page, "Get your API key");
    await keyless.getByText("with no API key").waitFor();
    await send(keyless);
    expect(await shown(keyless)).toMatchObject({ status: "401", payload: { message: "A valid API key is required." } });
    expect(complaints.splice(0)).toStrictEqual([expect.stringContaining("401 (Unauthorized)")]);

    const form = await enter(page, "Get a process", { ...IDS, process_id: "my process?" });
    await send(form);
    const message = 'The path parameter "process_id" is invalid: expected a UUID.';
    expect(await shown(form)).toMatchObject({ status: "400", payload: { message } });
    expect(complaints.splice(0)).toStrictEqual([expect.stringContaining("400 (Bad Request)")]);
  });

  test("takes what is typed for query and headers, and shows it in every sample", async () => {
    const { page } = await open();
    const path = `${PROCESSES}?limit=1`;
    const etag = String((await api.fetch(path, bearer(web.token))).headers.get("etag"));
    const form = await enter(page, LIST, { id: web.applicationId, limit: "1" });
    await form.locator("summary", { hasText: "If-None-Match" }).click();
    await form.getByLabel("If-None-Match").fill(etag);
    const samples = page.locator(".samples", { has: page.locator("[name=listProcessesV3-language]") });
    for (const language of ["curl", "TypeScript", "Python"]) {
      await samples.getByLabel(language).check();
      const sample = await samples.locator("pre:visible").textContent();
      expect(sample).toContain(api.url.origin + path);
      expect(sample).toContain(etag.slice(1, -1));
    }
    // A language is chosen for all operations.
    expect(await page.getByLabel("Python").nth(0).isChecked()).toBe(true);
    await send(form);
    expect(await shown(form)).toStrictEqual({ status: "304", payload: undefined });
  });

  test("that writes is sent only after a question that names it", async () => {
    const { page } = await open();
    const create = await enter(page, "Create a process", { id: web.applicationId });
    await create.getByLabel("Example").selectOption("A cron process");
    const sent: string[] = [];
    page.on("request", (request) => sent.push(`${request.method()} ${request.url()}`));
    const dialog = page.getByRole("dialog", { name: "Send this request?" });
    for (const refuse of [
      () => page.keyboard.press("Escape"),
      // The focus is on what changes nothing.
      () => page.keyboard.press("Enter"),
      () => dialog.getByRole("button", { name: "Cancel" }).click(),
    ]) {
      await send(create);
      await dialog.getByText(`POST ${api.url.origin}${PROCESSES}`, { exact: true }).waitFor();
      await refuse();
      await dialog.waitFor({ state: "hidden" });
    }
    expect(sent).toStrictEqual([]);

    await send(create);
    await dialog.getByRole("button", { name: "Send POST" }).click();
    const { status, payload } = (await shown(create)) as { status: string; payload: { type: string; id: string } };
    expect([status, payload.type]).toStrictEqual(["200", "cron"]);
    const remove = await enter(page, "Delete a process", { id: web.applicationId, process_id: payload.id });
    await send(remove);
    await dialog.getByRole("button", { name: "Send DELETE" }).click();
    expect(await shown(remove)).toMatchObject({ status: "200", payload: { message: "Process deleted" } });
    const url = api.url.origin + PROCESSES;
    expect(sent).toStrictEqual([`POST ${url}`, `DELETE ${url}/${payload.id}`]);
  });
});

describe.for([DESKTOP, PHONE])("$width pixels wide", (viewport) => {
  test("the focus is always to be seen", async () => {
    const { page } = await open("/docs#getProcessV3", { viewport, colorScheme: "dark" });
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const [html, outline, top, bottom] = await page.locator(":focus").evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        const style = element.ownerDocument.defaultView?.getComputedStyle(element);
        return [element.outerHTML.slice(0, 100), style?.outline, top, bottom] as const;
      });
      expect(outline, html).toMatch(/\b2px\b/);
      expect(bottom, html).toBeGreaterThan(0);
      expect(top, html).toBeLessThan(viewport.height);
    }
  });

  test("a page with a response, all unfolded, fits the screen, turns dark with the system, and pleases axe", async () => {
    const { page } = await open("/docs", { viewport });
    const form = await enter(page, "Get a process", IDS);
    await send(form);
    expect(await shown(form)).toMatchObject({ status: "200" });
    await page.locator("details").evaluateAll((all) => {
      for (const details of all) {
        details.removeAttribute("name");
        details.setAttribute("open", "");
      }
    });
    expect(await page.locator("html").evaluate((html) => html.scrollWidth)).toBe(viewport.width);

    const brightness = async (property: "color" | "background-color") => {
      const channels = (await styleOf(page.locator("body"), property)).match(/\d+/g)?.slice(0, 3) ?? [];
      return channels.reduce((sum, channel) => sum + Number(channel) / 3, 0);
    };
    await page.evaluate(axe.source);
    const violations = async (where: string, options: object) => {
      const all = JSON.stringify({ resultTypes: ["violations"], ...options });
      const found = await page.evaluate(`axe.run("${where}", ${all}).then(({ violations }) => violations)`);
      return (found as AxeResults["violations"]).map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
    };
    expect(await brightness("background-color")).toBeGreaterThan(192);
    expect(await brightness("color")).toBeLessThan(64);
    expect(await violations("html", {})).toStrictEqual([]);
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(() => brightness("background-color")).toBeLessThan(64);
    expect(await brightness("color")).toBeGreaterThan(192);
    // Only the colours have changed, and what only a phone shows is the bar.
    const colors = { runOnly: ["color-contrast", "link-in-text-block"] };
    expect(await violations(viewport === PHONE ? ".bar" : "html", colors)).toStrictEqual([]);
  });
});
