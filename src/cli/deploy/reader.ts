import { context } from "../../node/context.ts";
import { usageError } from "../../node/errors.ts";
import { isUuid } from "../../worker/shared/uuid.ts";
import type { Reader } from "../checks/deployment.ts";

/**
 * The key and the process to try a deployment with: what was given, else the environment's.
 *
 * @returns undefined if there is neither
 * @throws CommandError if there is only a part of it
 */
export function readReader(given: {
  token?: string | undefined;
  application?: string | undefined;
  process?: string | undefined;
}): Reader | undefined {
  const token = given.token || context().env.SMOKE_TOKEN || "";
  const applicationId = given.application || context().env.SMOKE_APPLICATION || "";
  const processId = given.process || context().env.SMOKE_PROCESS || "";
  if (token + applicationId + processId === "") return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) throw usageError("SMOKE_TOKEN (or --token) is no API key.");
  if (!isUuid(applicationId)) throw usageError("SMOKE_APPLICATION (or --application) is not an id, a UUID.");
  if (!isUuid(processId)) throw usageError("SMOKE_PROCESS (or --process) is not an id, a UUID.");
  return { token, applicationId, processId };
}
