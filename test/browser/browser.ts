// A real browser, which tells what a person would not see.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { chromium, type Page, type Response } from "playwright-core";

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

export interface Browser {
  page: Page;
  /** Faults that nobody sees: errors, warnings, violations of the page's policy, requests to elsewhere. */
  complaints: string[];
  /** The bytes of all answers so far, each body as gzip makes it. */
  transferredBytes(): Promise<number>;
  close(): Promise<void>;
}

interface BrowserOptions {
  viewport?: { width: number; height: number };
  colorScheme?: "light" | "dark";
}

/** @throws Error that says how to install it, if there is no Chromium */
export async function openBrowser(
  origin: string,
  { viewport = { width: 1280, height: 900 }, colorScheme = "light" }: BrowserOptions = {},
): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error("apt-get install chromium");
  const profile = await mkdtemp(join(tmpdir(), "process-api-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args: FLAGS,
    viewport,
    colorScheme,
  });
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
    const { protocol, origin: to } = new URL(request.url());
    if (protocol !== "data:" && to !== origin) complaints.push(`request to ${to}`);
  });
  page.on("response", (response) => {
    if (response.status() === 200) responses.push(response);
  });
  return {
    page,
    complaints,
    transferredBytes: async () => {
      const bodies = await Promise.all(responses.map((response) => response.body()));
      return bodies.reduce((sum, body) => sum + gzipSync(body).length, 0);
    },
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
