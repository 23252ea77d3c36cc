import { neon } from "@neondatabase/serverless";
import { describe, expect, it } from "vitest";
import type { Intercept, InterceptedRequest, NeonEndpoint } from "../../../src/local/neon/endpoint.ts";
import { EndpointError } from "../../../src/local/neon/errors.ts";
import { eventLoopTurns, post, withEndpoint } from "./requests.ts";

describe("intercept", () => {
  const query = { query: "SELECT $1::text AS t", params: ["x"] };
  const sqlThrough = ({ connectionString }: NeonEndpoint) => neon(connectionString);

  it("sees method, headers and parsed body of single queries and batches, and lets them pass", async () => {
    const seen: InterceptedRequest[] = [];
    const look: Intercept = (request) => {
      seen.push(request);
      return false;
    };
    await withEndpoint({ intercept: look }, async (intercepted) => {
      expect((await post(query, { "Neon-Array-Mode": "true" }, intercepted)).json.rows).toEqual([["x"]]);
      expect((await post({ queries: [query] }, {}, intercepted)).json.results).toHaveLength(1);
      expect(seen).toMatchObject([
        { method: "POST", headers: { "neon-array-mode": "true" }, body: query },
        { method: "POST", headers: {}, body: { queries: [query] } },
      ]);
    });
  });

  it("can hold a request back", async () => {
    const release = Promise.withResolvers<boolean>();
    let arrived = 0;
    const holdFirst: Intercept = () => (arrived++ === 0 ? release.promise : false);
    await withEndpoint({ intercept: holdFirst }, async (intercepted) => {
      const order: string[] = [];
      const first = post(query, {}, intercepted).then(({ json }) => order.push(json.rows[0].t));
      while (arrived === 0) await eventLoopTurns(1);
      order.push((await post({ query: "SELECT 'later' AS t" }, {}, intercepted)).json.rows[0].t);
      release.resolve(false);
      await first;
      expect(order).toEqual(["later", "x"]);
    });
  });

  it("can leave a request without an answer until its client gives up", async () => {
    const arrived = Promise.withResolvers<void>();
    const hang: Intercept = () => {
      arrived.resolve();
      return true;
    };
    await withEndpoint({ intercept: hang }, async (intercepted) => {
      const controller = new AbortController();
      const fetchOptions = { signal: controller.signal };
      const answer = sqlThrough(intercepted).query("SELECT 1", [], { fetchOptions });
      const outcome = expect(answer).rejects.toMatchObject({ sourceError: { name: "AbortError" } });
      await arrived.promise;
      controller.abort();
      await outcome;
    });
  });

  it.each<[string, Intercept, object]>([
    [
      "reset the connection",
      (_request, response) => response.socket?.resetAndDestroy() !== undefined,
      { message: expect.stringContaining("fetch failed"), sourceError: { cause: { code: "ECONNRESET" } } },
    ],
    ...[429, 500, 502].map((status): [string, Intercept, object] => [
      `answer with ${status}`,
      (_request, response) => response.writeHead(status).end("no") !== undefined,
      { message: `Server error (HTTP status ${status}): no`, code: undefined },
    ]),
    [
      "break off in the middle of the body",
      (_request, response) => {
        response.writeHead(200, { "content-length": 100 }).write('{"fields":[', () => response.destroy());
        return true;
      },
      { message: "terminated" },
    ],
    [
      "answer with something else than JSON",
      (_request, response) => response.writeHead(200).end("<html>") !== undefined,
      { name: "SyntaxError" },
    ],
    [
      "answer with an SQL error",
      () => {
        throw new EndpointError(400, { message: "deadlock detected", code: "40P01", severity: "ERROR" });
      },
      { name: "NeonDbError", message: "deadlock detected", code: "40P01", severity: "ERROR", detail: undefined },
    ],
    [
      "refuse the password",
      () => {
        throw new EndpointError(400, { message: "password authentication failed for user 'x'" });
      },
      { name: "NeonDbError", message: "password authentication failed for user 'x'", code: "" },
    ],
    [
      "fail like the control plane",
      () => {
        throw new EndpointError(500, { message: "Control plane request failed" });
      },
      {
        message: expect.stringMatching(/^Server error \(HTTP status 500\): \{"message":"Control plane request failed"/),
      },
    ],
  ])("can %s", async (_what, fault, error) => {
    let faults = 1;
    const once: Intercept = (request, response) => faults-- > 0 && fault(request, response);
    await withEndpoint({ intercept: once }, async (intercepted) => {
      const sql = sqlThrough(intercepted);
      await expect(sql`SELECT 1 AS n`).rejects.toMatchObject(error);
      expect(await sql`SELECT 1 AS n`).toEqual([{ n: 1 }]);
    });
  });
});
