// A payload on its way out: validated, and with what says how old it is and what it depends on.
import { validateResponse } from "#openapi";
import type { Access } from "../resources/api-key/access.ts";
import { TAGGED, tagOf, UNCACHEABLE } from "../shared/cache.ts";
import { HttpError } from "../shared/errors.ts";
import { KEY_ID_HEADER, WEAK_DATE_HEADER } from "../shared/internal-headers.ts";
import { log } from "../shared/log.ts";
import type { Validator } from "../shared/operations.ts";
import { logIds } from "../shared/trace.ts";
import type { Call } from "./call.ts";
import type { Tags } from "./operation.ts";

/** A transaction that takes longer may change something at a moment that has been told already. */
const SETTLED_MS = 60_000;

/**
 * `Last-Modified`: the end of the second of the last change, once it is sure that nothing else changes until then. So whoever
 * has it knows that nothing has changed since (RFC 9110, section 8.8.2.2). Before that it is the second itself, which says no more
 * than that it has changed.
 *
 * @param changedAt in ISO 8601; null if it is not known
 */
export function datesOf(changedAt: string | null): Record<string, string> {
  if (changedAt === null) return {};
  const end = Math.ceil(Date.parse(changedAt) / 1_000) * 1_000;
  if (Date.now() >= end + SETTLED_MS) return { "last-modified": new Date(end).toUTCString() };
  return { "last-modified": new Date(end - 1_000).toUTCString(), [WEAK_DATE_HEADER]: "true" };
}

/** Nothing is trusted because it is ours: a row that breaks the document is a fault, and no payload. */
export function parseValid(
  { operation, path, caller }: Call,
  body: string,
  { keyId, companyId }: Pick<Access, "keyId" | "companyId">,
): unknown {
  const payload: unknown = JSON.parse(body);
  const isValid = validateResponse[operation.id] as Validator;
  if (isValid(payload)) return payload;
  log("error", "invalid_row", { ...logIds(caller.trace), companyId, ...path, fields: invalidFields(isValid) });
  throw new HttpError({ reason: "invalid_row" }, { ...UNCACHEABLE, [KEY_ID_HEADER]: keyId });
}

/** The deepest fields that a validator complains about: where branches of a union fail, that of the closest branch. */
function invalidFields({ errors }: Validator): string[] {
  const paths = errors?.map(({ instancePath }) => instancePath.slice(1).replaceAll("/", ".")) ?? [];
  const depth = Math.max(...paths.map((path) => path.split(".").length));
  return [...new Set(paths.filter((path) => path.split(".").length === depth))];
}

export function tagsOf(...sources: readonly Tags[]): string[] {
  const tags = TAGGED.flatMap((kind) => sources.flatMap((ids) => ids[kind]?.map((id) => tagOf(kind, id)) ?? []));
  return [...new Set(tags)];
}
