import type { Access, Permission } from "../db/access.ts";
import { recordUse } from "../db/usage.ts";
import { UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER } from "../shared/internal-headers.ts";
import type { ApiContext } from "./context.ts";

/** The hash of the caller's token. Fails closed: the gateway has not looked at a caller without one. */
export function keyHashOf(c: ApiContext): string {
  const { keyHash } = c.env.props;
  if (keyHash === undefined) throw new HttpError({ reason: "missing_key" });
  return keyHash;
}

/**
 * Lets the row of a live key with the permission pass, and sees to it that the use is recorded.
 *
 * @param permission null if every live key will do
 */
export function authorize<Row extends { access: Access }>(
  c: ApiContext,
  row: Row | undefined,
  permission: Permission | null,
): Row {
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  const { keyId, isPermitted, isUseDue } = row.access;
  // After the response. A failure harms nobody; the database client has logged it.
  if (isUseDue) c.executionCtx.waitUntil(recordUse(c.env.db, keyId).catch(() => {}));
  if (permission !== null && !isPermitted) {
    throw new HttpError({ reason: "missing_permission", permission }, { ...UNCACHEABLE, [KEY_ID_HEADER]: keyId });
  }
  return row;
}
