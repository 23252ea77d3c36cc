import { describe, expect, test } from "vitest";
import { readTraceId } from "../../../src/worker/gateway/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

describe("traceparent", () => {
  test.for([
    ["of version 00", `00-${TRACE}-${PARENT}-01`],
    ["with flags that nobody knows", `00-${TRACE}-${PARENT}-ff`],
    ["of a later version", `cc-${TRACE}-${PARENT}-01`],
    ["of a later version, with more behind", `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`],
  ])("%s names its trace", ([_, value]) => {
    expect(readTraceId(String(value))).toBe(TRACE);
  });

  test.for([
    ["is absent", null],
    ["is empty", ""],
    ["has version ff", `ff-${TRACE}-${PARENT}-01`],
    ["has no trace", `00-${"0".repeat(32)}-${PARENT}-01`],
    ["has no parent", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["is in upper case", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
    ["is too short", `00-${TRACE.slice(1)}-${PARENT}-01`],
    ["is too long", `00-${TRACE}-${PARENT}-01-more`],
    ["has more behind, not set off", `cc-${TRACE}-${PARENT}-01.more`],
    ["came twice", `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
  ])("is ignored if it %s", ([_, value]) => {
    expect(readTraceId(value ?? null)).toBeUndefined();
  });
});
