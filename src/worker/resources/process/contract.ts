import { EXAMPLE_IDS } from "../../../openapi/components/examples.ts";
import { ofApplication, ofProcess, pagination } from "../../../openapi/components/parameters.ts";
import { read, write } from "../../../openapi/contract.ts";
import { createProcessBody, updateProcessBody } from "./body.ts";
import {
  CREATE_PROCESS_EXAMPLES,
  PROCESS_EXAMPLES,
  PROCESS_LIST_EXAMPLES,
  UPDATE_PROCESS_EXAMPLES,
  WRITTEN_PROCESS_EXAMPLES,
} from "./examples.ts";
import { deletedSchema, processListSchema, processSchema } from "./schema.ts";

export const listProcessesV3 = read({
  path: "/applications/{id}/processes",
  tags: ["Applications"],
  summary: "List an application's processes",
  description:
    "Returns the processes of an application in the order in which they are displayed and then of their creation, one page at a time.",
  permission: "APP:READ",
  resource: "Application",
  ids: ofApplication,
  query: pagination,
  response: { description: "A page of processes", schema: processListSchema, examples: PROCESS_LIST_EXAMPLES },
});

export const createProcessV3 = write({
  method: "post",
  path: "/applications/{id}/processes",
  tags: ["Applications"],
  summary: "Create a process",
  description:
    "Creates a process, which takes effect with the next deployment. An application has at most one web process, which begins with ingress by `http`. `key` is `web` for the web process and otherwise made of `display_name`; it never changes.",
  permission: "APP:UPDATE",
  resource: "Application",
  ids: ofApplication,
  body: { schema: createProcessBody, examples: CREATE_PROCESS_EXAMPLES },
  response: {
    description: "The new process",
    schema: processSchema,
    examples: WRITTEN_PROCESS_EXAMPLES,
    isDated: true,
  },
});

export const getProcessV3 = read({
  path: "/applications/{id}/processes/{process_id}",
  tags: ["Applications"],
  summary: "Get a process",
  description:
    "Returns the full details of one process: runtime configuration, scaling strategy, resource limits and probe settings.",
  permission: "APP:READ",
  resource: "Process",
  ids: ofProcess(EXAMPLE_IDS.web),
  response: { description: "The process", schema: processSchema, examples: PROCESS_EXAMPLES, isDated: true },
});

export const updateProcessV3 = write({
  method: "patch",
  path: "/applications/{id}/processes/{process_id}",
  tags: ["Applications"],
  summary: "Update a process",
  description:
    "Changes what is sent, and leaves everything else as it is; null clears `port` and the probes. Reads show the new values at once; the machine size, scaling and probes take effect with the next deployment.",
  permission: "APP:UPDATE",
  resource: "Process",
  ids: ofProcess(EXAMPLE_IDS.web),
  body: { schema: updateProcessBody, examples: UPDATE_PROCESS_EXAMPLES },
  response: {
    description: "The process as it is now",
    schema: processSchema,
    examples: WRITTEN_PROCESS_EXAMPLES,
    isDated: true,
  },
});

export const deleteProcessV3 = write({
  method: "delete",
  path: "/applications/{id}/processes/{process_id}",
  tags: ["Applications"],
  summary: "Delete a process",
  description:
    "Deletes a process and its runs. The web process of an application cannot be deleted. A body is ignored.",
  permission: "APP:UPDATE",
  resource: "Process",
  ids: ofProcess(EXAMPLE_IDS.worker),
  response: {
    description: "The process is deleted",
    schema: deletedSchema,
    examples: { deleted: { summary: "Deleted", value: { message: "Process deleted" } } },
  },
});
