import { getApiKey } from "./api-key/get.ts";
import type { Handler } from "./call.ts";
import { getProcess } from "./process/get.ts";
import { listProcesses } from "./process/list.ts";
import { listProcessResourceTypes } from "./process-resource-type/list.ts";

/** The handler of each operation of the OpenAPI document, by its `operationId`. */
export const HANDLERS: Readonly<Record<string, Handler>> = {
  listProcessesV3: listProcesses,
  getProcessV3: getProcess,
  listProcessResourceTypesV3: listProcessResourceTypes,
  getOwnApiKeyV3: getApiKey,
};
