// A caller's program. `npm run check` generates its types from the OpenAPI document, and checks it with them.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "../../../dist/process-api.d.ts";

export type Process = components["schemas"]["Process"];
type CreateProcess = components["schemas"]["CreateProcess"];
type UpdateProcess = components["schemas"]["UpdateProcess"];
type ApiError = components["schemas"]["Error"];

export function connect(origin: string, apiKey: string): Client<paths> {
  return createClient<paths>({ baseUrl: `${origin}/v3`, headers: { Authorization: `Bearer ${apiKey}` } });
}

/** An error of the API, in its own words. */
export class RefusedError extends Error {
  readonly status: number;
  readonly requestId: string | undefined;

  constructor({ message, status, data }: ApiError) {
    super(data === undefined ? message : `${message} ${data.message}`);
    this.status = status;
    this.requestId = data?.code;
  }
}

/** @throws RefusedError */
export async function getProcess(api: Client<paths>, applicationId: string, processId: string): Promise<Process> {
  const { data, error } = await api.GET("/applications/{id}/processes/{process_id}", {
    params: { path: { id: applicationId, process_id: processId } },
  });
  if (error !== undefined) throw new RefusedError(error);
  return data;
}

/** All of an application's processes, however many pages they take. */
export async function listProcesses(api: Client<paths>, applicationId: string, limit = 100): Promise<Process[]> {
  const all: Process[] = [];
  for (;;) {
    const { data, error } = await api.GET("/applications/{id}/processes", {
      params: { path: { id: applicationId }, query: { limit, offset: all.length } },
    });
    if (error !== undefined) throw new RefusedError(error);
    all.push(...data.data);
    if (data.data.length === 0 || all.length >= data.total) return all;
  }
}

/** How many instances a process has at most; null if nothing is said. */
export function maxInstances({ scaling_strategy: strategy }: Process): number | null {
  if (strategy === null) return null;
  switch (strategy.type) {
    case "manual":
      return strategy.config.instanceCount;
    case "horizontal":
      return strategy.config.maxInstanceCount;
  }
}

/** A copy that is asked for again only if it has changed. */
export function remember(api: Client<paths>, applicationId: string, processId: string): () => Promise<Process> {
  let copy: { process: Process; etag: string } | undefined;
  return async () => {
    const { data, error, response } = await api.GET("/applications/{id}/processes/{process_id}", {
      params: {
        path: { id: applicationId, process_id: processId },
        ...(copy && { header: { "If-None-Match": copy.etag } }),
      },
    });
    if (copy !== undefined && response.status === 304) return copy.process;
    if (error !== undefined) throw new RefusedError(error);
    copy = { process: data, etag: String(response.headers.get("etag")) };
    return data;
  };
}

/**
 * Creates a process once, however often it must be asked for until there is an answer.
 *
 * @param tries at most, while the connection breaks or the API does not know whether it took effect
 * @throws RefusedError
 */
export async function createProcess(
  api: Client<paths>,
  applicationId: string,
  body: CreateProcess,
  tries = 3,
): Promise<Process> {
  const params = { path: { id: applicationId }, header: { "Idempotency-Key": crypto.randomUUID() } };
  for (let left = tries - 1; ; left--) {
    try {
      const { data, error } = await api.POST("/applications/{id}/processes", { params, body });
      if (error === undefined) return data;
      if (error.status < 500 || left === 0) throw new RefusedError(error);
    } catch (error) {
      // `fetch` has no other error for a connection that breaks.
      if (!(error instanceof TypeError) || left === 0) throw error;
    }
  }
}

/**
 * Changes a process by what it is now: reads it again and decides again when somebody else was faster.
 *
 * @throws RefusedError
 */
export async function changeProcess(
  api: Client<paths>,
  path: { id: string; process_id: string },
  decide: (process: Process) => UpdateProcess,
): Promise<Process> {
  for (;;) {
    const read = await api.GET("/applications/{id}/processes/{process_id}", {
      params: { path },
      // What the database says now, and not a copy.
      headers: { "Cache-Control": "no-cache" },
    });
    if (read.error !== undefined) throw new RefusedError(read.error);
    const { data, error, response } = await api.PATCH("/applications/{id}/processes/{process_id}", {
      params: { path, header: { "If-Match": String(read.response.headers.get("etag")) } },
      body: decide(read.data),
    });
    if (error === undefined) return data;
    if (response.status !== 412) throw new RefusedError(error);
  }
}
