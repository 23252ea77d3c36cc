import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { validateOwnApiKey } from "./query.ts";

export const validateApiKey: Handler = async (call) =>
  answer(call, await validateOwnApiKey(call.db, call.caller), { permission: null, resource: "API key", tags: {} });
