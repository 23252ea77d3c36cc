const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "::1", "[::1]"];

/** Whether a URL's host is this machine. */
export const isLoopback = (hostname: string): boolean => LOOPBACK_HOSTS.includes(hostname);

/** A URL of a Worker: https, or http on this machine. @returns undefined if it is neither */
export function parseWorkerUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  return isSafe ? url : undefined;
}
