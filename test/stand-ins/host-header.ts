/** The name of the host that a request was for, before it was led to a stand-in. */
export const HOST_HEADER = "x-host";
