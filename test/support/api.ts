// The Worker in workerd, on a Neon endpoint of its own over the run's Postgres.
import { createTestHarness, unstable_readConfig as readConfig } from "wrangler";
import { type Intercept, startNeonEndpoint } from "../../src/local/neon/endpoint.ts";

// Else the harness looks up Request.cf on the internet.
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

export interface TestApi {
  url: URL;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** How many HTTP requests have reached the Neon endpoint. */
  queries(): number;
  /** What the Worker has logged, a line each. */
  logs(): string[];
  close(): Promise<void>;
}

export interface TestApiOptions {
  /** Of the database; see test/support/global-setup.ts. */
  connectionString: string;
  vars?: Record<string, string>;
  /** Counts queries and makes them fail. */
  intercept?: Intercept;
  /** Instead of the Neon endpoint's: for a Worker that is wrongly set up. */
  databaseUrl?: string;
}

export async function startApi({ connectionString, vars, intercept, databaseUrl }: TestApiOptions): Promise<TestApi> {
  const endpoint = await startNeonEndpoint({ connectionString, ...(intercept && { intercept }) });
  const { name, compatibility_date, compatibility_flags } = readConfig({ config: "wrangler.toml" });
  const harness = createTestHarness({
    workers: [
      {
        config: {
          name,
          main: "src/local/worker.ts",
          compatibility_date,
          compatibility_flags,
          vars: { ...vars, DATABASE_URL: databaseUrl ?? endpoint.connectionString },
        },
      },
    ],
  });
  const { url } = await harness.listen();
  return {
    url,
    // Not `new URL(path, url)`, which takes the path `//x` for a host.
    fetch: (path, init) => fetch(url.origin + path, init),
    queries: () => endpoint.requests,
    logs: () => harness.getLogs().map(({ message }) => message),
    close: async () => {
      await harness.close();
      await endpoint.close();
    },
  };
}
