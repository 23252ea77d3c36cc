import type { Handler } from "../call.ts";
import { answerWrite } from "../write.ts";
import { failureOf } from "./refusal.ts";
import { deleteProcessForKey } from "./write-query.ts";

export const deleteProcess: Handler = async (call) => {
  const { id, process_id } = call.path as { id: string; process_id: string };
  return answerWrite(call, {
    resource: "Process",
    content: null,
    send: (request) =>
      deleteProcessForKey(call.db, { ...call.caller, ...request, applicationId: id, processId: process_id }),
    failureOf,
    tagsIn: () => ({ process: [process_id], "process-list": [id] }),
  });
};
