/**
 * Versions 1 to 8 of RFC 9562, nil and max, as the contract writes them (src/contract/process.schema.json). Postgres takes
 * any 128 bits for a uuid, so its tables check this pattern, too.
 */
export const UUID_PATTERN =
  "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$";

/** The same as it is stored and answered: in lower case. */
export const LOWER_CASE_UUID_PATTERN =
  "^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$";

const UUID = new RegExp(UUID_PATTERN, "i");

/** Whether `text` is a UUID in any case: every spelling names the same resource. */
export const isUuid = (text: string): boolean => UUID.test(text);
