import { startApi, type TestApiOptions } from "./api.ts";

/** Starts the Worker over the run's database. */
export const startDocumentation = (options: Partial<TestApiOptions> = {}): ReturnType<typeof startApi> =>
  startApi({ ...options });
