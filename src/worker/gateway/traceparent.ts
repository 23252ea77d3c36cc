/** version "-" trace-id "-" parent-id "-" trace-flags, and, from a later version, more (sections 3.2.2 and 4.3). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

/**
 * Reads the trace that a request belongs to.
 *
 * @param traceparent of W3C Trace Context, level 1
 * @returns undefined if there is none or it is malformed, which a recipient ignores
 * @see https://www.w3.org/TR/trace-context-1/#traceparent-header
 */
export function readTraceId(traceparent: string | null): string | undefined {
  const [, version, traceId, more] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  return version === "00" && more !== undefined ? undefined : traceId;
}
