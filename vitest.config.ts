import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

const BROWSER = "test/browser/**/*.test.ts";
const README = "test/readme/**/*.test.ts";
/** What brings its own database, or asks little of it: once is enough. */
const WITHOUT_SHARED_DATABASE = [
  "test/bench/bench.test.ts",
  "test/cli/deploy/**",
  "test/cli/keys-output.test.ts",
  "test/cli/keys-parse.test.ts",
  "test/cli/openapi.test.ts",
  "test/cli/purge*.test.ts",
  "test/cli/stats.test.ts",
  "test/clients/**",
  "test/docs/**",
  "test/worker/cache.test.ts",
  "test/worker/db/limiter.test.ts",
  "test/worker/faults.test.ts",
  "test/worker/feed/**",
  "test/worker/fresh-writes.test.ts",
  "test/worker/fuzz.test.ts",
  "test/worker/gateway/**",
  "test/local/cache/**",
  "test/local/dev.test.ts",
  "test/local/postgres/embedded.test.ts",
  "test/worker/wrangler.test.ts",
];

export default defineConfig({
  test: {
    // Each project starts a database for its own tests.
    globalSetup: ["test/support/global-setup.ts"],
    // workerd, Postgres and a Neon endpoint start before a file's first test.
    hookTimeout: 180_000,
    // Only to end what hangs: machines differ, and may be busy with something else.
    testTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    execArgv: ["--import", import.meta.resolve("./test/support/quick-imports.ts")],
    // Most of a test is waiting for another process.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: {
          name: "suite",
          include: ["test/**/*.test.ts"],
          exclude: [
            BROWSER,
            README,
            "**/node_modules/**",
            ...(process.env.TEST_DATABASE === undefined ? ["test/**/*.postgres.test.ts"] : WITHOUT_SHARED_DATABASE),
          ],
        },
      },
      // Needs Chromium, which npm does not bring.
      { extends: true, test: { name: "browser", include: [BROWSER] } },
      // Needs the npm registry.
      { extends: true, test: { name: "readme", include: [README] } },
    ],
  },
});
