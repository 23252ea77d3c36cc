import type { ProcessList } from "../../../openapi/process/schema.ts";
import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { listProcessesForKey } from "./query.ts";

export const listProcesses: Handler = async (call) => {
  const { id } = call.path as { id: string };
  const { limit, offset } = call.query as { limit: number; offset: number };
  const row = await listProcessesForKey(call.db, { ...call.caller, applicationId: id, limit, offset });
  return answer<ProcessList>(call, row, {
    permission: "APP:READ",
    resource: "Application",
    tags: { application: [id], "process-list": [id] },
    tagsIn: ({ data }) => ({
      process: data.map((process) => process.id),
      "resource-type": data.flatMap((process) => process.resource_type_id ?? []),
    }),
  });
};
