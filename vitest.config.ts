import { defineConfig } from "vitest/config";

const BROWSER = "test/browser/**/*.test.ts";

export default defineConfig({
  test: {
    // Each project starts a database for its own tests.
    globalSetup: ["test/support/global-setup.ts"],
    // workerd, Postgres and a Neon endpoint start before a file's first test.
    hookTimeout: 60_000,
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: { name: "suite", include: ["test/**/*.test.ts"], exclude: [BROWSER, "**/node_modules/**"] },
      },
      // Needs Chromium, which npm does not bring.
      { extends: true, test: { name: "browser", include: [BROWSER] } },
    ],
  },
});
