import { inject } from "vitest";
import { startApi, type TestApi, type TestApiOptions } from "./api.ts";

/** Starts the Worker over the run's database. */
export const startDocumentation = (options: Partial<TestApiOptions> = {}): Promise<TestApi> =>
  startApi({ connectionString: inject("connectionString"), ...options });
