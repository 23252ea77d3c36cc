// `node --import` it into a command: names of the internet then lead to the stand-ins of its environment.
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import "../support/quick-imports.ts";
import { CLOCK_HEADER, HOST_HEADER } from "./headers.ts";

const { TEST_EDGE_URL } = process.env;
if (TEST_EDGE_URL === undefined) throw new Error("TEST_EDGE_URL is not set");

const realFetch = globalThis.fetch;
/** What is not on loopback is the edge, and the hostname goes along as a header. TLS is the one thing that is lost. */
globalThis.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
  headers.set(CLOCK_HEADER, String(Date.now()));
  if (["127.0.0.1", "localhost"].includes(url.hostname)) return realFetch(input, { ...init, headers });
  headers.set(HOST_HEADER, url.hostname);
  return realFetch(TEST_EDGE_URL + url.pathname + url.search, { ...init, headers });
};

/** Neon's direct hosts are this machine; the port of the URL tells which. */
const realLookup = dns.lookup;
dns.lookup = ((hostname: string, ...rest: unknown[]) =>
  Reflect.apply(realLookup, dns, [
    hostname.endsWith(".neon.tech") ? "127.0.0.1" : hostname,
    ...rest,
  ])) as typeof dns.lookup;

/** A pause is over at once, and the clock says that it was: what waits for minutes is tried in no time. */
let skippedMs = 0;
const realNow = Date.now;
Date.now = () => realNow() + skippedMs;
timers.setTimeout = (async (ms: number) => {
  skippedMs += ms;
}) as typeof timers.setTimeout;
syncBuiltinESMExports();
