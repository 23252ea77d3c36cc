import { expect, test } from "vitest";
import { isVersionUrl } from "../../../src/cli/deploy/access.ts";

test.for([
  ["https://0a1b2c3d-process-api.example.workers.dev", true],
  ["https://pr-7-process-api.example.workers.dev/health", true],
  ["https://process-api.example.workers.dev", false],
  ["https://pr-7-another-api.example.workers.dev", false],
  ["https://pr-7-process-api.example.com", false],
  ["https://pr-7-process-api.workers.dev", false],
  ["https://pr-7-process-api.another.example.workers.dev", false],
  ["https://pr-7-process-api.example.workers.dev.example.com", false],
  ["http://pr-7-process-api.example.workers.dev", false],
] as const)("whether %s is sent the service token: %s", ([url, isSent]) => {
  expect(isVersionUrl(url, "process-api")).toBe(isSent);
});
