// A real browser, which also tells what a person would not see.
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type Browser, type BrowserContextOptions, chromium, type Page, type Response } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

const CHROMIUM = "/usr/bin/chromium";
/** Nothing looked up, reported or kept elsewhere; no sandbox, since CI is root. */
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
  ...["--disable-background-networking", "--disable-component-update"],
];

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

export interface Tab {
  page: Page;
  /** Errors, warnings, violations of the page's policy, requests to elsewhere. A test that leaves one here fails. */
  complaints: string[];
  /** The bytes of all responses so far, each body as gzip makes it. */
  transferredBytes(): Promise<number>;
}

export type TabOptions = Pick<BrowserContextOptions, "viewport" | "colorScheme" | "javaScriptEnabled" | "bypassCSP">;

/** A browser for the tests of a file. @returns what opens a tab of its own, until the test ends */
export function useBrowser(): (url: string, options?: TabOptions) => Promise<Tab> {
  let browser: Browser | undefined;
  let tab: Tab | undefined;
  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) throw new Error("Chromium is not installed: apt-get install chromium");
    browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await tab?.page.context().close();
    expect(tab?.complaints ?? []).toStrictEqual([]);
    tab = undefined;
  });
  return async (url, options) => {
    const page = await (browser as Browser).newPage({ viewport: DESKTOP, colorScheme: "light", ...options });
    tab = watch(page, new URL(url).origin);
    await page.goto(url);
    return tab;
  };
}

function watch(page: Page, origin: string): Tab {
  // Sooner than the test's own limit: what it waits for in vain is then named.
  page.setDefaultTimeout(120_000);
  const complaints: string[] = [];
  const responses: Response[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  // A violation of the policy is an error there, too.
  page.on("console", (message) => /error|warning/.test(message.type()) && complaints.push(message.text()));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.origin !== origin) complaints.push(`request to ${url.origin}`);
  });
  page.on("response", (response) => response.status() === 200 && responses.push(response));
  const transferredBytes = async () => {
    const bodies = await Promise.all(responses.map((response) => response.body()));
    return bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
  };
  return { page, complaints, transferredBytes };
}
