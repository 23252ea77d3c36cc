import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    // workerd, Postgres and a Neon endpoint start before a file's first test.
    hookTimeout: 60_000,
    testTimeout: 30_000,
  },
});
