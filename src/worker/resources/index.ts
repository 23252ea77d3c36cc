// Every resource by its folder, in the order of the document. An operation has one name everywhere: that of its contract, of what
// carries it out, of its route (`operationId`) and of the file with its SQL (test/worker/db/statements).
import type { Read, Write } from "../api/operation.ts";
import { apiKeyOperations } from "./api-key/operations.ts";
import { applicationOperations } from "./application/operations.ts";
import { processOperations } from "./process/operations.ts";
import { processResourceTypeOperations } from "./process-resource-type/operations.ts";
import { processRunOperations } from "./process-run/operations.ts";

export const RESOURCES = {
  application: applicationOperations,
  process: processOperations,
  "process-run": processRunOperations,
  "process-resource-type": processResourceTypeOperations,
  "api-key": apiKeyOperations,
};

export const OPERATIONS: Readonly<Record<string, Read | Write>> = Object.assign({}, ...Object.values(RESOURCES));
