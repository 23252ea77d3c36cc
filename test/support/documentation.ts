// The Worker with the documentation that src/docs/build.ts lays out.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { buildDocs } from "../../src/docs/build.ts";
import { startApi, type TestApi, type TestApiOptions } from "./api.ts";

/** Starts the Worker; `close` removes what was laid out for it. */
export async function startDocumentation(options: Partial<TestApiOptions> = {}): Promise<TestApi> {
  const assets = await mkdtemp(join(tmpdir(), "process-api-docs-"));
  await buildDocs(assets);
  const api = await startApi({ connectionString: inject("connectionString"), ...options, assets });
  return {
    ...api,
    close: async () => {
      await api.close();
      await rm(assets, { recursive: true });
    },
  };
}
