import { ofApplication, pagination } from "../../../openapi/components/parameters.ts";
import { read } from "../../../openapi/contract.ts";
import { APPLICATION_EXAMPLES, APPLICATION_LIST_EXAMPLES } from "./examples.ts";
import { applicationListSchema, applicationSchema } from "./schema.ts";

export const listApplicationsV3 = read({
  path: "/applications",
  tags: ["Applications"],
  summary: "List your applications",
  description:
    "Returns the applications that the API key may read, the newest first, one page at a time. Needs the permission `APP:READ`, for all applications or for some: then it lists those alone.",
  permission: "APP:READ",
  resource: null,
  query: pagination,
  response: {
    description: "A page of applications",
    schema: applicationListSchema,
    examples: APPLICATION_LIST_EXAMPLES,
  },
});

export const getApplicationV3 = read({
  path: "/applications/{id}",
  tags: ["Applications"],
  summary: "Get an application",
  description: "Returns the full details of one application: where its code comes from and how it is built.",
  permission: "APP:READ",
  resource: "Application",
  ids: ofApplication,
  response: {
    description: "The application",
    schema: applicationSchema,
    examples: APPLICATION_EXAMPLES,
    isDated: true,
  },
});
