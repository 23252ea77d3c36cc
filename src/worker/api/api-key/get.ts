import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { getOwnApiKey } from "./query.ts";

/** No Last-Modified: being used and being granted leave `updated_at` as it is. */
export const getApiKey: Handler = async (call) =>
  answer(call, await getOwnApiKey(call.db, call.caller), { permission: null, resource: "API key", tags: {} });
