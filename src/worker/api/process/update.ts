import type { UpdateProcess } from "../../../openapi/process/body.ts";
import { readBody } from "../body.ts";
import type { Handler } from "../call.ts";
import { answerWrite } from "../write.ts";
import { checkChange } from "./check.ts";
import { inLowerCase } from "./fields.ts";
import { failureOf } from "./refusal.ts";
import { updateProcessForKey } from "./write-query.ts";

export const updateProcess: Handler = async (call) => {
  const { id, process_id } = call.path as { id: string; process_id: string };
  const body = inLowerCase(await readBody<UpdateProcess>(call, checkChange));
  const columns = columnsOf(body);
  return answerWrite(call, {
    resource: "Process",
    content: body,
    send: (request) =>
      updateProcessForKey(call.db, {
        ...call.caller,
        ...request,
        applicationId: id,
        processId: process_id,
        columns,
      }),
    failureOf,
    // The list may have been read before the process was moved into it.
    tagsIn: () => ({ process: [process_id], "process-list": [id] }),
  });
};

/** Without the values that the official Terraform provider sends for attributes that its user has left out. */
function columnsOf({ port, ingress_protocol, time_zone, ...columns }: UpdateProcess): object {
  return {
    ...columns,
    ...(port && { port }),
    ...(ingress_protocol && { ingress_protocol }),
    ...(time_zone && { time_zone }),
  };
}
