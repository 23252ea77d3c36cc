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

type Fields = Record<string, unknown>;

/** No process has these values: a client sends them for what its user has left out, as the official Terraform provider does. */
const PLACEHOLDERS: Fields = { port: 0, ingress_protocol: "", time_zone: "" };
/** Such a client sends these values for the same reason; from any other client they mean what they say. */
const AMBIGUOUS: Fields = { entrypoint: "", is_ingress_enabled: false };

/** Returns what the body changes: everything but placeholders. */
function columnsOf(body: UpdateProcess): object {
  const fields = Object.entries(body);
  if (!fields.some(([field, value]) => value === PLACEHOLDERS[field])) return body;
  const unchanged = { ...PLACEHOLDERS, ...AMBIGUOUS };
  return Object.fromEntries(fields.filter(([field, value]) => value !== unchanged[field]));
}
