import type { ProcessResourceType } from "../../../openapi/process-resource-type.ts";
import { EVERY } from "../../shared/cache.ts";
import { answer } from "../answer.ts";
import type { Handler } from "../call.ts";
import { listProcessResourceTypesForKey } from "./query.ts";

export const listProcessResourceTypes: Handler = async (call) =>
  answer<ProcessResourceType[]>(call, await listProcessResourceTypesForKey(call.db, call.caller), {
    permission: null,
    resource: "Machine sizes",
    tags: { "resource-type-list": [EVERY] },
    tagsIn: (types) => ({ "resource-type": types.map(({ id }) => id) }),
    freshWithoutFeedSeconds: call.config.cache.resourceTypesFreshSeconds,
  });
