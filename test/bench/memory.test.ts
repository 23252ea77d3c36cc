import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { barsOf } from "./bars.ts";
import type { Report } from "./bench.ts";
import { measureMemory } from "./memory.ts";
import type { Server } from "./server.ts";

test("a machine that is too slow leaves out the last tenths, and never what memory is compared by", async () => {
  const http = createServer((_, response) => response.end()).listen(0, "127.0.0.1");
  onTestFinished(() => void http.close());
  await once(http, "listening");
  const server = { pid: process.pid, port: (http.address() as AddressInfo).port } as Server;
  const options = { requests: 100, connections: 2, deadline: performance.now() };
  const memory = await measureMemory(server, [{ path: "/", headers: {} }], options);
  expect([memory.requests, memory.tenths.length]).toStrictEqual([30, 3]);
  const { name, value } = barsOf({ bundle: {}, memory } as unknown as Report).at(-1) as { name: string; value: number };
  expect(name).toBe("memory over 30 requests, last tenth against second, deviation");
  expect(value).toBeGreaterThanOrEqual(0);
});
