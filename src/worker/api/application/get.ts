import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { getApplicationForKey } from "./query.ts";

export const getApplication: Handler = async (call) => {
  const { id } = call.path as { id: string };
  const row = await getApplicationForKey(call.db, { ...call.caller, applicationId: id });
  return answer(call, row, { permission: "APP:READ", resource: "Application", tags: { application: [id] } });
};
