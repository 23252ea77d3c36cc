// The reference as people use it, in a real browser.
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SEED_PROCESSES } from "../../drizzle/seed.ts";
import type { TestApi } from "../support/api.ts";
import { startDocumentation } from "../support/documentation.ts";
import { document } from "../support/operations.ts";
import { bearer } from "../support/records.ts";
import { type Browser, openBrowser } from "./browser.ts";

const MAX_TRANSFER_BYTES = 1_500_000;
const [web, , cron] = SEED_PROCESSES;

let api: TestApi;
beforeAll(async () => {
  api = await startDocumentation();
});
afterAll(() => api.close());

let browser: Browser | undefined;
afterEach(async () => {
  const complaints = browser?.complaints;
  await browser?.close();
  browser = undefined;
  expect(complaints ?? []).toStrictEqual([]);
});

async function open(options: Parameters<typeof openBrowser>[1] = {}, { url: { origin } } = api): Promise<Page> {
  browser = await openBrowser(origin, options);
  await browser.page.goto(origin);
  await operation(browser.page, "/api-keys/me").waitFor();
  return browser.page;
}

/** The line of the operation at `path`, which unfolds it. */
const operation = (page: Page, path: string) =>
  page.locator(".opblock-summary-control", { has: page.locator(`[data-path="${path}"]`) });
const PROCESS = "/applications/{id}/processes/{process_id}";

async function enterKey(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.getByRole("dialog", { name: "API key" });
  await dialog.getByRole("textbox").fill(web.token);
  await dialog.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).click();
}

/** The answer, as the page shows it. */
async function shown(page: Page): Promise<{ status: string | null; payload: unknown }> {
  const answer = page.locator(".live-responses-table .response");
  const status = await answer.locator(".response-col_status").textContent();
  return { status, payload: JSON.parse(String(await answer.locator(".highlight-code code").first().textContent())) };
}

async function payloadOf({ applicationId, processId, token }: (typeof SEED_PROCESSES)[number]): Promise<unknown> {
  const path = `/v3/applications/${applicationId}/processes/${processId}`;
  return (await api.fetch(path, bearer(token))).json();
}

describe("the reference", () => {
  test("opens for whoever comes to /, and shows every operation", async () => {
    const page = await open();
    expect(new URL(page.url()).pathname).toBe("/docs");
    const paths = Object.keys(document.paths ?? {});
    expect(paths.length).toBeGreaterThan(3);
    for (const path of paths) await operation(page, path).waitFor();
    expect(await page.getByRole("main").count()).toBe(1);
  });

  test("weighs less than 1.5 MB", async () => {
    const page = await open();
    await page.waitForLoadState("networkidle");
    const bytes = await browser?.transferredBytes();
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(MAX_TRANSFER_BYTES);
  });

  test("lets a person enter a key, send a request and see the payload", async () => {
    const page = await open();
    await enterKey(page);
    await operation(page, PROCESS).click();
    await page.getByPlaceholder("id", { exact: true }).fill(cron.applicationId);
    await page.getByPlaceholder("process_id").fill(cron.processId);
    await page.getByRole("button", { name: "Execute" }).click();
    expect(await shown(page)).toStrictEqual({ status: "200", payload: await payloadOf(cron) });
  });

  test("is filled in with ids that can be sent at once where npm run dev tells it a key", async () => {
    const local = await startDocumentation({ main: "src/local/worker.ts", vars: { DEMO_KEY: web.token } });
    try {
      const page = await open({}, local);
      await operation(page, PROCESS).click();
      await page.getByRole("button", { name: "Execute" }).click();
      expect(await shown(page)).toStrictEqual({ status: "200", payload: await payloadOf(web) });
    } finally {
      await local.close();
    }
  });

  test("shows the refusal of a request without a key", async () => {
    const page = await open();
    await operation(page, "/api-keys/me").click();
    await page.getByRole("button", { name: "Execute" }).click();
    expect(await shown(page)).toMatchObject({ status: "401", payload: { status: 401 } });
    // The browser reports every answer of 400 or more there.
    expect(browser?.complaints.splice(0)).toStrictEqual([expect.stringContaining("401 (Unauthorized)")]);
  });

  test("unfolds what a failure looks like", async () => {
    const page = await open();
    await operation(page, PROCESS).click();
    const refusal = page.locator("tr.response", { has: page.getByText("lacks the permission") }).first();
    expect(await refusal.getByText("WWW-Authenticate").isVisible()).toBe(false);
    await refusal.locator("summary").first().click();
    await refusal.locator("summary", { hasText: /^Headers$/ }).click();
    await refusal.getByText("WWW-Authenticate").waitFor();
  });
});

describe("by keyboard alone", () => {
  async function nameOfFocused(page: Page): Promise<string> {
    const focused = page.locator(":focus");
    if ((await focused.count()) === 0) return "";
    const names = [await focused.getAttribute("aria-label"), await focused.getAttribute("placeholder")];
    return names.find(Boolean) ?? String(await focused.textContent());
  }

  /** Presses Tab until the focus is on what is called so. */
  async function tabTo(page: Page, name: RegExp): Promise<void> {
    const seen: string[] = [];
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const text = await nameOfFocused(page);
      if (name.test(text)) return;
      seen.push(text);
    }
    throw new Error(`No way to ${name}, but to ${seen.join(", ")}`);
  }

  test("a key is entered, a request sent and its payload seen", async () => {
    const page = await open();
    await tabTo(page, /^Authorize/);
    await page.keyboard.press("Enter");
    // The dialog takes the focus and gives it back.
    await page.getByRole("dialog", { name: "API key" }).getByRole("textbox").waitFor();
    await page.keyboard.type(web.token);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await nameOfFocused(page)).toBe("Authorize");

    await tabTo(page, /Get a process$/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^process_id/);
    await page.keyboard.press("ControlOrMeta+A");
    await page.keyboard.type(cron.processId);
    await tabTo(page, /^Execute/);
    await page.keyboard.press("Enter");
    expect(await shown(page)).toStrictEqual({ status: "200", payload: await payloadOf(cron) });
  });

  test("the focus is always to be seen", async () => {
    const page = await open({ colorScheme: "dark" });
    await operation(page, PROCESS).click();
    const invisible: string[] = [];
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const focused = page.locator(":focus");
      if ((await focused.count()) === 0) continue;
      const { html, outline } = await focused.evaluate((element) => ({
        html: element.outerHTML.slice(0, 100),
        outline: element.ownerDocument.defaultView?.getComputedStyle(element).outline,
      }));
      if (!/\b2px\b/.test(String(outline))) invisible.push(html);
    }
    expect(invisible).toStrictEqual([]);
  });
});

describe("on a phone, in the dark", () => {
  test("all of an answer fits the width of the screen", async () => {
    const page = await open({ viewport: { width: 375, height: 812 }, colorScheme: "dark" });
    await enterKey(page);
    await operation(page, PROCESS).click();
    await page.getByRole("button", { name: "Execute" }).click();
    expect(await shown(page)).toMatchObject({ status: "200" });
    await page.locator("details").evaluateAll((all) => {
      for (const details of all) details.setAttribute("open", "");
    });
    expect(await page.locator("html").evaluate((html) => html.scrollWidth)).toBe(375);
  });

  test("is light on dark, and turns when the system does", async () => {
    const page = await open({ colorScheme: "dark" });
    const brightness = async (property: "color" | "background-color") => {
      const color = await page
        .locator("body")
        .evaluate(
          (body, name) => body.ownerDocument.defaultView?.getComputedStyle(body).getPropertyValue(name),
          property,
        );
      const channels = String(color).match(/\d+/g)?.slice(0, 3) ?? [];
      return channels.reduce((sum, channel) => sum + Number(channel) / 3, 0);
    };
    expect(await brightness("background-color")).toBeLessThan(64);
    expect(await brightness("color")).toBeGreaterThan(192);
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(() => brightness("background-color")).toBeGreaterThan(192);
    expect(await brightness("color")).toBeLessThan(64);
  });
});
