import { EVERY } from "../../shared/cache.ts";
import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { listRunsForKey } from "./query.ts";

export const listProcessRuns: Handler = async (call) => {
  const { id, process_id } = call.path as { id: string; process_id: string };
  const { limit, offset } = call.query as { limit: number; offset: number };
  const params = { ...call.caller, applicationId: id, processId: process_id, limit, offset };
  return answer(call, await listRunsForKey(call.db, params), {
    permission: "APP:READ",
    resource: "Process",
    tags: { application: [id], process: [process_id], "run-list": [process_id, EVERY] },
  });
};
