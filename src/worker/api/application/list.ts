import type { ApplicationList } from "../../../openapi/application/schema.ts";
import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { listApplicationsForKey } from "./query.ts";

export const listApplications: Handler = async (call) => {
  const { limit, offset } = call.query as { limit: number; offset: number };
  const row = await listApplicationsForKey(call.db, { ...call.caller, limit, offset });
  return answer<ApplicationList>(call, row, {
    permission: "APP:READ",
    resource: "Applications",
    tags: row === undefined ? {} : { "application-list": [row.companyId] },
    tagsIn: ({ data }) => ({ application: data.map(({ id }) => id) }),
  });
};
