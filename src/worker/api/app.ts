import { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { contextStorage } from "hono/context-storage";
import { DatabaseError } from "../db/errors.ts";
import { type Failure, HttpError, statusOf } from "../shared/errors.ts";
import { REQUEST_ID_HEADER } from "../shared/internal-headers.ts";
import { describeError, log } from "../shared/log.ts";
import type { Route } from "../shared/route.ts";
import { registerApiKey } from "./api-key/route.ts";
import { invalidParameter, routesOf } from "./canonical-url.ts";
import type { ApiContext, ApiEnv } from "./context.ts";
import { registerDocument } from "./document/index.ts";
import { registerGetProcess } from "./process/get.ts";
import { registerListProcesses } from "./process/list.ts";
import { registerProcessResourceTypes } from "./process-resource-type/route.ts";

const BASE_PATH = "/v3";
const RETRY_AFTER_SECONDS = 5;

/** The documented operations, their paths relative to `servers` of the document. */
export const v3 = new OpenAPIHono<ApiEnv>({
  defaultHook: (result) => {
    if (!result.success) throw invalidParameter(result.target === "param" ? "path" : "query", result.error);
  },
});
registerListProcesses(v3);
registerGetProcess(v3);
registerProcessResourceTypes(v3);
registerApiKey(v3);

export const app = new Hono<ApiEnv>();
app.use(contextStorage());
app.route(BASE_PATH, v3);
const document = registerDocument(app, BASE_PATH, v3);
app.notFound(() => failed(new HttpError({ reason: "no_such_endpoint" })));
app.onError((error, c) => failed(error instanceof HttpError ? error : new HttpError(failureOf(error, c))));

export const routes: readonly Route[] = [...routesOf(v3, BASE_PATH), document];

/** A failure goes to the gateway as data; the gateway alone knows the id of the request that it ends. */
function failed({ failure, cacheHeaders }: HttpError): Response {
  return Response.json(failure, { status: statusOf(failure), headers: cacheHeaders });
}

function failureOf(error: Error, c: ApiContext): Failure {
  if (!(error instanceof DatabaseError)) {
    log("error", "unexpected_error", { requestId: c.req.header(REQUEST_ID_HEADER), ...describeError(error) });
    return { reason: "unexpected" };
  }
  switch (error.kind) {
    case "unavailable":
    case "timeout":
      return { reason: "database_unavailable", retryAfterSeconds: RETRY_AFTER_SECONDS };
    case "rejected":
      return { reason: "database_failed" };
  }
}
