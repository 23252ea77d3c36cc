/** The name of the host that a request was for, before it was led to a stand-in. */
export const HOST_HEADER = "x-host";
/** The time at the one who asks, in milliseconds: pauses are skipped there. */
export const CLOCK_HEADER = "x-test-clock";
