import { getApiKey } from "./api-key/get.ts";
import { validateApiKey } from "./api-key/validate.ts";
import { getApplication } from "./application/get.ts";
import { listApplications } from "./application/list.ts";
import type { Handler } from "./call.ts";
import { createProcess } from "./process/create.ts";
import { deleteProcess } from "./process/delete.ts";
import { getProcess } from "./process/get.ts";
import { listProcesses } from "./process/list.ts";
import { listProcessRuns } from "./process/runs.ts";
import { triggerProcess } from "./process/trigger.ts";
import { updateProcess } from "./process/update.ts";
import { listProcessResourceTypes } from "./process-resource-type/list.ts";

/** The handler of each operation of the OpenAPI document, by its `operationId`. */
export const HANDLERS: Readonly<Record<string, Handler>> = {
  listApplicationsV3: listApplications,
  getApplicationV3: getApplication,
  listProcessesV3: listProcesses,
  createProcessV3: createProcess,
  getProcessV3: getProcess,
  updateProcessV3: updateProcess,
  deleteProcessV3: deleteProcess,
  triggerProcessCronV3: triggerProcess,
  listProcessRunsV3: listProcessRuns,
  listProcessResourceTypesV3: listProcessResourceTypes,
  getCurrentApiKeyV3: getApiKey,
  validateApiKeyV3: validateApiKey,
};
