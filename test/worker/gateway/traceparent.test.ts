import { expect, test } from "vitest";
import { readTraceId } from "../../../src/worker/gateway/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

test.for([
  ["of version 00", `00-${TRACE}-${PARENT}-01`, TRACE],
  ["with unknown flags", `00-${TRACE}-${PARENT}-ff`, TRACE],
  ["of a later version", `cc-${TRACE}-${PARENT}-01`, TRACE],
  ["of a later version, with more behind", `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`, TRACE],
  ["that is absent", null, undefined],
  ["that is empty", "", undefined],
  ["of version ff", `ff-${TRACE}-${PARENT}-01`, undefined],
  ["without a trace", `00-${"0".repeat(32)}-${PARENT}-01`, undefined],
  ["without a parent", `00-${TRACE}-${"0".repeat(16)}-01`, undefined],
  ["in upper case", `00-${TRACE.toUpperCase()}-${PARENT}-01`, undefined],
  ["that is too short", `00-${TRACE.slice(1)}-${PARENT}-01`, undefined],
  ["that is too long", `00-${TRACE}-${PARENT}-01-more`, undefined],
  ["with more behind, not set off", `cc-${TRACE}-${PARENT}-01.more`, undefined],
  ["that came twice", `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`, undefined],
] as const)("a traceparent %s: %s names the trace %s", ([_, value, expected]) => {
  expect(readTraceId(value)).toBe(expected);
});
