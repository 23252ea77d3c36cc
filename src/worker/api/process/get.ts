import type { Process } from "../../../openapi/process/schema.ts";
import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { getProcessForKey } from "./query.ts";

export const getProcess: Handler = async (call) => {
  const { id, process_id } = call.path as { id: string; process_id: string };
  const row = await getProcessForKey(call.db, { ...call.caller, applicationId: id, processId: process_id });
  return answer<Process>(call, row, {
    permission: "APP:READ",
    resource: "Process",
    tags: { application: [id], process: [process_id] },
    tagsIn: ({ resource_type_id }) => (resource_type_id === null ? {} : { "resource-type": [resource_type_id] }),
  });
};
