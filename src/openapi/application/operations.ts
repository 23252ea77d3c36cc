import { createRoute, z } from "@hono/zod-openapi";
import { FORBIDDEN, NOT_FOUND } from "../components/failures.ts";
import { headerParameters } from "../components/headers.ts";
import { applicationId, pagination } from "../components/parameters.ts";
import { getResponses } from "../components/responses.ts";
import { APPLICATION_EXAMPLES, APPLICATION_LIST_EXAMPLES } from "./examples.ts";
import { applicationListSchema, applicationSchema } from "./schema.ts";

export const listApplications = createRoute({
  method: "get",
  path: "/applications",
  operationId: "listApplicationsV3",
  tags: ["Applications"],
  summary: "List your applications",
  description:
    "Returns the applications that the API key may read, the newest first, one page at a time. Needs the permission `APP:READ`, for all applications or for some: then it lists those alone.",
  parameters: headerParameters("If-None-Match", "Cache-Control"),
  request: { query: pagination },
  responses: {
    ...getResponses({
      description: "A page of applications",
      schema: applicationListSchema,
      examples: APPLICATION_LIST_EXAMPLES,
    }),
    ...FORBIDDEN,
  },
});

export const getApplication = createRoute({
  method: "get",
  path: "/applications/{id}",
  operationId: "getApplicationV3",
  tags: ["Applications"],
  summary: "Get an application",
  description:
    "Returns the full details of one application: where its code comes from and how it is built. Needs the permission `APP:READ` for the application.",
  parameters: headerParameters("If-None-Match", "If-Modified-Since", "Cache-Control"),
  request: { params: z.object({ id: applicationId }) },
  responses: {
    ...getResponses({
      description: "The application",
      schema: applicationSchema,
      examples: APPLICATION_EXAMPLES,
      isDated: true,
    }),
    ...FORBIDDEN,
    ...NOT_FOUND,
  },
});
