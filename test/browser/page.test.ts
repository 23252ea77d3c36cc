// The reference as people use it, in a real browser.
import { source } from "axe-core";
import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import type { TestApi } from "../support/api.ts";
import { startDocumentation } from "../support/documentation.ts";
import { operations } from "../support/operations.ts";
import { bearer } from "../support/records.ts";
import { type Browser, startBrowser, type Tab, type TabOptions } from "./browser.ts";

const MAX_TRANSFER_BYTES = 40_000;
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const [web, , cron] = SEED_PROCESSES;

let api: TestApi;
let browser: Browser;
beforeAll(async () => {
  [api, browser] = await Promise.all([startDocumentation(), startBrowser()]);
});
afterAll(async () => {
  await browser.close();
  await api.close();
});

let tab: Tab | undefined;
afterEach(async () => {
  const complaints = tab?.complaints;
  await tab?.close();
  tab = undefined;
  expect(complaints ?? []).toStrictEqual([]);
});

interface OpenOptions extends TabOptions {
  path?: string;
  origin?: string;
}

async function open({ path = "/docs", origin = api.url.origin, ...options }: OpenOptions = {}): Promise<Page> {
  tab = await browser.open(origin + path, { viewport: DESKTOP, colorScheme: "light", ...options });
  return tab.page;
}

const getProcess = (page: Page) => page.getByRole("form", { name: "Get a process: request" });

async function enterProcess(page: Page, { applicationId, processId, token }: (typeof SEED_PROCESSES)[number]) {
  await page.getByLabel("API key", { exact: true }).fill(token);
  await getProcess(page).getByLabel("id", { exact: true }).fill(applicationId);
  await getProcess(page).getByLabel("process_id").fill(processId);
}

const send = (form: Locator) => form.getByRole("button", { name: "Send" }).click();

/** The answer, as the page shows it. */
async function shown(form: Locator): Promise<{ status: string; payload: unknown }> {
  const answer = form.getByRole("region", { name: "Answer" });
  await answer.getByText(/^\d+ · \d+ ms$/).waitFor();
  const status = String(await answer.getByRole("status").textContent()).slice(0, 3);
  const body = String(await answer.locator("code").textContent());
  return { status, payload: body === "" ? undefined : JSON.parse(body) };
}

async function payloadOf({ applicationId, processId, token }: (typeof SEED_PROCESSES)[number]): Promise<unknown> {
  const path = `/v3/applications/${applicationId}/processes/${processId}`;
  return (await api.fetch(path, bearer(token))).json();
}

/** Expects all of an element on the screen. */
async function expectOnScreen(page: Page, element: Locator): Promise<void> {
  const box = await element.boundingBox();
  const { height = 0 } = page.viewportSize() ?? {};
  expect(box?.y).toBeGreaterThan(0);
  expect(Number(box?.y) + Number(box?.height)).toBeLessThanOrEqual(height);
}

const styleOf = (element: Locator, property: string): Promise<string> =>
  element.evaluate(
    (one, name) => String(one.ownerDocument.defaultView?.getComputedStyle(one).getPropertyValue(name)),
    property,
  );

const unfoldAll = (page: Page) =>
  page.locator("details").evaluateAll((all) => {
    for (const details of all) {
      details.removeAttribute("name");
      details.setAttribute("open", "");
    }
  });

describe("the reference", () => {
  test("opens for whoever comes to /, and has every operation", async () => {
    const page = await open({ path: "/" });
    expect(new URL(page.url()).pathname).toBe("/docs");
    const listed = page.getByRole("navigation").locator("li a");
    for (const { id } of operations) {
      expect(await page.locator(`#${id}`).count(), id).toBe(1);
      expect(await listed.and(page.locator(`[href="#${id}"]`)).count(), id).toBe(1);
    }
  });

  test("weighs less than 40 kB", async () => {
    const page = await open();
    await page.waitForLoadState("networkidle");
    const bytes = await tab?.transferredBytes();
    expect(bytes).toBeGreaterThan(10_000);
    expect(bytes).toBeLessThan(MAX_TRANSFER_BYTES);
  });

  test.for([
    { path: "/docs#getProcessV3", viewport: DESKTOP },
    { path: "/docs#Process", viewport: PHONE },
  ])("shows memory_limit and its unit on one screen, without a click: $path", async (options) => {
    const page = await open(options);
    const field = page.locator('[id="Process.memory_limit"]');
    expect(await field.textContent()).toMatch(/^\s*memory_limit\s+Memory limit in megabytes integer or null\s*$/);
    await expectOnScreen(page, page.locator("#Process"));
    await expectOnScreen(page, field);
  });

  test("can be read without its script", async () => {
    const page = await open({ javaScriptEnabled: false });
    await page.locator('[id="Process.memory_limit"]').getByText("megabytes").waitFor();
    await page.getByText("takes JavaScript").waitFor();
    expect(await page.getByRole("button", { name: "Send" }).count()).toBe(0);
    expect(await page.getByRole("searchbox").count()).toBe(0);
  });

  test("finds a field by a word of its meaning, and unfolds what it is in", async () => {
    const page = await open({ viewport: PHONE });
    await page.getByRole("button", { name: "Contents" }).click();
    await page.getByRole("searchbox", { name: "Search" }).fill("seconds between probes");
    const found = page.locator("#found a");
    expect(await found.count()).toBe(1);
    await found.click();
    await page.getByRole("navigation").waitFor({ state: "hidden" });
    await expectOnScreen(page, page.locator(":target", { hasText: /^\s*periodSeconds/ }));
  });

  test("finds an operation, a status and a header", async () => {
    const page = await open();
    for (const [words, href] of [
      ["get a process", "#getProcessV3"],
      ["429", "#status-429"],
      ["etag", "#header-ETag"],
    ]) {
      await page.getByRole("searchbox", { name: "Search" }).fill(String(words));
      expect(await page.locator("#found a").first().getAttribute("href")).toBe(href);
    }
    await page.getByRole("searchbox", { name: "Search" }).fill("");
    await page.getByRole("navigation").getByRole("link", { name: "Get a process" }).waitFor();
  });

  test("says where it is, in full", async () => {
    const page = await open();
    await page.getByText(`${api.url.origin}/v3`, { exact: true }).waitFor();
  });

  test("shows a person who is lost a page that leads here", async () => {
    const page = await open({ path: "/nothing" });
    // The browser reports every answer of 400 or more there.
    expect(tab?.complaints.splice(0)).toStrictEqual([expect.stringContaining("404 (Not Found)")]);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    expect(await styleOf(page.locator("body"), "margin-top")).toBe("0px");
    await page.getByRole("link").click();
    await page.getByRole("heading", { name: "Get a process" }).waitFor();
  });
});

describe("a request", () => {
  test("is sent with the key that was entered, and its payload shown", async () => {
    const page = await open();
    await enterProcess(page, cron);
    await getProcess(page).getByText("with your API key").waitFor();
    await send(getProcess(page));
    expect(await shown(getProcess(page))).toStrictEqual({ status: "200", payload: await payloadOf(cron) });
  });

  test("is filled in, with a demo key and a word that it is one, where npm run dev tells the key", async () => {
    const local = await startDocumentation({ main: "src/local/worker.ts", vars: { DEMO_KEY: web.token } });
    try {
      const page = await open({ origin: local.url.origin });
      await page.getByText("A demo key is entered").waitFor();
      await getProcess(page).getByText("with the demo key").waitFor();
      await send(getProcess(page));
      expect(await shown(getProcess(page))).toStrictEqual({ status: "200", payload: await payloadOf(web) });
    } finally {
      await local.close();
    }
  });

  test("shows all of a long answer", async () => {
    const page = await open({ viewport: PHONE });
    await enterProcess(page, web);
    const list = page.getByRole("form", { name: "List an application's processes: request" });
    await list.getByLabel("id", { exact: true }).fill(web.applicationId);
    await send(list);
    expect(await shown(list)).toMatchObject({ status: "200" });
    const heights = await list.locator("code.body").evaluate((code) => {
      const whole = code.getBoundingClientRect().height;
      return { whole, visible: code.closest("section")?.getBoundingClientRect().height ?? 0 };
    });
    expect(heights.whole).toBeGreaterThan(1_500);
    expect(heights.visible).toBeGreaterThan(heights.whole);
  });

  test("without a key is refused in the API's words", async () => {
    const page = await open();
    const form = page.getByRole("form", { name: "Get your API key: request" });
    await form.getByText("with no API key").waitFor();
    await send(form);
    expect(await shown(form)).toMatchObject({ status: "401", payload: { message: "A valid API key is required." } });
    expect(tab?.complaints.splice(0)).toStrictEqual([expect.stringContaining("401 (Unauthorized)")]);
  });

  test("with a wrong id is refused in the API's words", async () => {
    const page = await open();
    await enterProcess(page, { ...web, processId: "my process?" });
    await send(getProcess(page));
    expect(await shown(getProcess(page))).toMatchObject({
      status: "400",
      payload: { message: 'The path parameter "process_id" is invalid.', data: { message: "Expected a UUID." } },
    });
    expect(tab?.complaints.splice(0)).toStrictEqual([expect.stringContaining("400 (Bad Request)")]);
  });

  test("takes what is typed for query and headers, and shows it in every sample", async () => {
    const page = await open();
    await enterProcess(page, web);
    const path = `/v3/applications/${web.applicationId}/processes?limit=1`;
    const etag = String((await api.fetch(path, bearer(web.token))).headers.get("etag"));
    const list = page.getByRole("form", { name: "List an application's processes: request" });
    await list.getByLabel("id", { exact: true }).fill(web.applicationId);
    await list.getByLabel("limit").fill("1");
    await list.locator("summary", { hasText: "If-None-Match" }).click();
    await list.getByLabel("If-None-Match").fill(etag);
    const samples = page.locator(".samples", { has: page.locator("[name=listProcessesV3-language]") });
    for (const language of ["curl", "TypeScript", "Python"]) {
      await samples.getByLabel(language).check();
      const sample = await samples.locator("pre:visible").textContent();
      expect(sample).toContain(api.url.origin + path);
      expect(sample).toContain(etag.slice(1, -1));
    }
    // A language is chosen for all operations.
    expect(await page.getByLabel("Python").nth(0).isChecked()).toBe(true);
    await send(list);
    expect(await shown(list)).toStrictEqual({ status: "304", payload: undefined });
  });

  test("that writes is sent only after a question that names it", async () => {
    const page = await open();
    await enterProcess(page, web);
    const create = page.getByRole("form", { name: "Create a process: request" });
    await create.getByLabel("id", { exact: true }).fill(web.applicationId);
    await create.getByLabel("Example").selectOption("A cron process");
    const sent: string[] = [];
    page.on("request", (request) => sent.push(`${request.method()} ${request.url()}`));
    const processes = `${api.url.origin}/v3/applications/${web.applicationId}/processes`;
    const dialog = page.getByRole("dialog", { name: "Send this request?" });
    for (const refuse of [
      () => page.keyboard.press("Escape"),
      // The focus is on what changes nothing.
      () => page.keyboard.press("Enter"),
      () => dialog.getByRole("button", { name: "Cancel" }).click(),
    ]) {
      await send(create);
      await dialog.getByText(`POST ${processes}`, { exact: true }).waitFor();
      await refuse();
      await dialog.waitFor({ state: "hidden" });
    }
    expect(sent).toStrictEqual([]);

    await send(create);
    await dialog.getByRole("button", { name: "Send POST" }).click();
    const created = await shown(create);
    expect(created).toMatchObject({ status: "200", payload: { type: "cron" } });

    const { id } = created.payload as { id: string };
    const remove = page.getByRole("form", { name: "Delete a process: request" });
    await remove.getByLabel("id", { exact: true }).fill(web.applicationId);
    await remove.getByLabel("process_id").fill(id);
    await send(remove);
    await dialog.getByRole("button", { name: "Send DELETE" }).click();
    expect(await shown(remove)).toMatchObject({ status: "200", payload: { message: "Process deleted" } });
    expect(sent).toStrictEqual([`POST ${processes}`, `DELETE ${processes}/${id}`]);
  });
});

describe("by keyboard alone", () => {
  async function nameOfFocused(page: Page): Promise<string> {
    const focused = page.locator(":focus");
    if ((await focused.count()) === 0) return "";
    return (await focused.getAttribute("id")) ?? String(await focused.textContent());
  }

  /** Presses Tab until the focus is on what is called so. */
  async function tabTo(page: Page, name: RegExp): Promise<void> {
    const seen: string[] = [];
    for (let presses = 0; presses < 100; presses++) {
      await page.keyboard.press("Tab");
      const text = await nameOfFocused(page);
      if (name.test(text)) return;
      seen.push(text);
    }
    throw new Error(`No way to ${name}, but to ${seen.join(", ")}`);
  }

  test("a key is entered, a request sent and its payload seen", async () => {
    const page = await open();
    await tabTo(page, /^key$/);
    await page.keyboard.type(cron.token);
    await page.goto(`${api.url.origin}/docs#getProcessV3`);
    await tabTo(page, /^getProcessV3-id$/);
    await page.keyboard.type(cron.applicationId);
    await page.keyboard.press("Tab");
    await page.keyboard.type(cron.processId);
    await page.keyboard.press("Enter");
    expect(await shown(getProcess(page))).toStrictEqual({ status: "200", payload: await payloadOf(cron) });
  });

  test.for([DESKTOP, PHONE])("the focus is always to be seen, $width pixels wide", async (viewport) => {
    const page = await open({ viewport, colorScheme: "dark", path: "/docs#getProcessV3" });
    const invisible: string[] = [];
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const focused = page.locator(":focus");
      const outline = await styleOf(focused, "outline");
      const { html, isOnScreen } = await focused.evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        const height = element.ownerDocument.documentElement.clientHeight;
        return { html: element.outerHTML.slice(0, 100), isOnScreen: bottom > 0 && top < height };
      });
      if (!/\b2px\b/.test(outline) || !isOnScreen) invisible.push(html);
    }
    expect(invisible).toStrictEqual([]);
  });
});

describe.for([DESKTOP, PHONE])("$width pixels wide", (viewport) => {
  test.for(["light", "dark"] as const)("has no fault that axe finds, %s", async (colorScheme) => {
    const page = await open({ viewport, colorScheme });
    await enterProcess(page, web);
    await send(getProcess(page));
    await shown(getProcess(page));
    await unfoldAll(page);
    await page.evaluate(source);
    const violations: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
      "axe.run().then(({ violations }) => violations)",
    );
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toStrictEqual([]);
  });

  test("all of it, an answer too, fits the width of the screen", async () => {
    const page = await open({ viewport });
    await enterProcess(page, web);
    await send(getProcess(page));
    expect(await shown(getProcess(page))).toMatchObject({ status: "200" });
    await unfoldAll(page);
    expect(await page.locator("html").evaluate((html) => html.scrollWidth)).toBe(viewport.width);
  });

  test("is light on dark, and turns when the system does", async () => {
    const page = await open({ viewport, colorScheme: "dark" });
    const brightness = async (property: "color" | "background-color") => {
      const color = await styleOf(page.locator("body"), property);
      const channels = color.match(/\d+/g)?.slice(0, 3) ?? [];
      return channels.reduce((sum, channel) => sum + Number(channel) / 3, 0);
    };
    expect(await brightness("background-color")).toBeLessThan(64);
    expect(await brightness("color")).toBeGreaterThan(192);
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(() => brightness("background-color")).toBeGreaterThan(192);
    expect(await brightness("color")).toBeLessThan(64);
  });
});
