import type { Handler } from "../call.ts";
import { answerWrite } from "../write.ts";
import { failureOf } from "./refusal.ts";
import { triggerProcessForKey } from "./write-query.ts";

export const triggerProcess: Handler = async (call) => {
  const { id, process_id } = call.path as { id: string; process_id: string };
  return answerWrite(call, {
    resource: "Process",
    content: null,
    send: (request) =>
      triggerProcessForKey(call.db, { ...call.caller, ...request, applicationId: id, processId: process_id }),
    failureOf,
    tagsIn: () => ({ "run-list": [process_id] }),
  });
};
