import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** What needs more than npm brings, or tests what seldom changes. `npm test` runs all else, CI everything. */
const PROJECTS: Record<string, string[]> = {
  /** An installed PostgreSQL: transactions that overlap, roles, and statements once more on the real thing. */
  postgres: ["test/**/*.postgres.test.ts", "test/worker/{api,db,resources}/**/*.test.ts"],
  /** The real wrangler, against stand-ins of Cloudflare and Neon. */
  releases: ["test/**/*.releases.test.ts"],
  /** The stand-ins of `npm run dev` and the benchmark by themselves. */
  local: ["test/local/{cache,neon,postgres}/**/*.test.ts", "test/bench/**/*.test.ts"],
  /** Chromium. */
  browser: ["test/browser/**/*.test.ts"],
  /** The npm registry. */
  readme: ["test/readme/**/*.test.ts"],
};
const NOT_IN_SUITE = Object.values(PROJECTS)
  .flat()
  .filter((glob) => !glob.startsWith("test/worker/"));

export default defineConfig({
  test: {
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/setup.ts"],
    // workerd, Postgres and a Neon endpoint start before a file's first test.
    hookTimeout: 180_000,
    // Only to end what hangs: machines differ, and may be busy with something else.
    testTimeout: 180_000,
    expect: { poll: { timeout: 120_000 } },
    execArgv: ["--import", import.meta.resolve("./test/support/quick-imports.ts")],
    // Files of a Vitest worker share what takes long to start: modules, a database and a Worker.
    isolate: false,
    experimental: { viteModuleRunner: false },
    // Most of a test is waiting for another process.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: { name: "suite", include: ["test/**/*.test.ts"], exclude: [...NOT_IN_SUITE, "**/node_modules/**"] },
      },
      ...Object.entries(PROJECTS).map(([name, include]) => ({
        extends: true as const,
        // A file of the project `postgres` may be one of another's, too.
        test: {
          name,
          include,
          ...(name === "postgres"
            ? { globalSetup: "test/support/postgres-setup.ts" }
            : { exclude: ["**/*.postgres.test.ts"] }),
        },
      })),
    ],
  },
});
