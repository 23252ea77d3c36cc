import { randomBytes } from "node:crypto";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "../../../../src/worker/resources/api-key/table.ts";
import type { Fixture } from "../../../support/fixtures.ts";
import { iso, length, rule, times, uuids } from "../../../support/rules.ts";

const malformedMasks = ["svl_09af09af", "svl_09a…09af", "svl_09…09afa", "svl_0g…09af", "xsvl_09…09af"];

export const fixtures: Fixture[] = [
  {
    table: apiKeys,
    row: ({ companyId }) => ({ companyId, name: "A key" }),
    rules: { ...uuids("id"), ...length("name", 1, 255), ...iso("expires_at last_used_at created_at updated_at") },
    change: "is_enabled = false",
  },
  {
    table: apiKeyTokens,
    row: ({ keyId }) => ({ apiKeyId: keyId, hash: randomBytes(32).toString("hex"), masked: "svl_00…ffff" }),
    rules: {
      hash_length: rule("hash", [times(64, "0")], [times(62, "0"), times(66, "0")]),
      masked_pattern: rule("masked", ["svl_09…09af"], [...malformedMasks, `svl_${times(64, "a")}`]),
      ...iso("expires_at last_used_at"),
    },
  },
  {
    table: apiKeyCapabilities,
    row: ({ companyId, keyId }) => ({ apiKeyId: keyId, companyId, permission: "APP:UPDATE" }),
    rules: {},
  },
];
