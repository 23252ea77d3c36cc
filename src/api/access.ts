import type { Access, Permission } from "../db/access.ts";
import { HttpError } from "../http/errors.ts";
import type { ApiContext } from "./context.ts";

/** The hash of the caller's token. Fails closed: the gateway has not looked at a caller without one. */
export function keyHashOf(c: ApiContext): string {
  const { keyHash } = c.env.props;
  if (keyHash === undefined) throw new HttpError({ reason: "missing_key" });
  return keyHash;
}

/** Lets the row of a live key with the permission pass. */
export function authorize<Row extends { access: Access }>(row: Row | undefined, permission: Permission | null): Row {
  if (row === undefined) throw new HttpError({ reason: "invalid_key" });
  if (permission !== null && !row.access.isPermitted) throw new HttpError({ reason: "missing_permission", permission });
  return row;
}
