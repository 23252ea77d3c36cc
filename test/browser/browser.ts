// A real browser, which tells what a person would not see.
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page, type Response } from "playwright-core";

const CHROMIUM = "/usr/bin/chromium";

/** Nothing looked up, reported or kept elsewhere; no sandbox, since CI is root. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Tab {
  page: Page;
  /** Faults that nobody sees: errors, warnings, violations of the page's policy, requests to elsewhere. */
  complaints: string[];
  /** The bytes of all answers so far, each body as gzip makes it. */
  transferredBytes(): Promise<number>;
  close(): Promise<void>;
}

export type TabOptions = Pick<BrowserContextOptions, "viewport" | "colorScheme" | "javaScriptEnabled">;

export interface Browser {
  /** Opens a tab that shares nothing with others. */
  open(url: string, options?: TabOptions): Promise<Tab>;
  close(): Promise<void>;
}

/** @throws Error that says how to install it, if there is no Chromium */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error("apt-get install chromium");
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  return {
    open: async (url, options) => openTab(await browser.newContext(options), new URL(url)),
    close: () => browser.close(),
  };
}

async function openTab(context: BrowserContext, url: URL): Promise<Tab> {
  const page = await context.newPage();
  // Sooner than the test's own limit: what it waits for in vain is then named.
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  const responses: Response[] = [];
  page.on("pageerror", ({ message }) => complaints.push(message));
  // A violation of the policy is an error there, too.
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== url.origin) complaints.push(`request to ${origin}`);
  });
  page.on("response", (response) => {
    if (response.status() === 200) responses.push(response);
  });
  await page.goto(url.href);
  return {
    page,
    complaints,
    transferredBytes: async () => {
      const bodies = await Promise.all(responses.map((response) => response.body()));
      return bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    },
    close: () => context.close(),
  };
}
