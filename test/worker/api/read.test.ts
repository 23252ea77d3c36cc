// What a response to a read may be kept for, by what its operation declares.
import { expect, test } from "vitest";
import { operations } from "#openapi";
import type { Call } from "../../../src/worker/api/call.ts";
import { NEVER_CACHED, type Read } from "../../../src/worker/api/operation.ts";
import { read } from "../../../src/worker/api/read.ts";
import { clientHeaders } from "../../../src/worker/shared/cache.ts";
import { readConfig } from "../../../src/worker/shared/config.ts";
import type { HttpError } from "../../../src/worker/shared/errors.ts";
import { responsesOf } from "../../support/document.ts";

const operation = operations.find(({ id }) => id === "getApplicationV3");
const [example] = Object.values(responsesOf("/applications/{id}").get(200)?.body?.examples ?? {});
const found = JSON.stringify(example?.value);

/** Headers to the edge for a live key, of a payload or of a 404. */
async function headersOf(tags: Read["tags"], body: string | null): Promise<Headers> {
  const access = { keyId: "k", companyId: "c", secondsLeft: null, isPermitted: true, isFeedHealthy: true };
  const call = {
    operation,
    config: readConfig({ DATABASE_URL: "postgres://user@host/database" }),
    isPurgeable: true,
    db: { query: async () => [{ ...access, body, etag: "e", lastModified: null }] },
    caller: { keyHash: "", trace: {} },
    note: () => {},
    path: { id: "a" },
    query: {},
  } as unknown as Call;
  const statement = () => ({ text: "", bind: () => [] });
  return read(call, { statement, tags }).then(
    ({ headers }) => headers,
    (error: HttpError) => new Headers(error.cacheHeaders),
  );
}

test.for([found, null])("what is never cached is kept by nobody: %s", async (body) => {
  const kept = await headersOf(() => ({ application: ["a"] }), body);
  expect(kept.get("cache-control")).toMatch(/^public, max-age=/);
  expect(kept.get("cache-tag")).toBe("company:c,application:a,key:k");
  const secret = await headersOf(NEVER_CACHED, body);
  expect(secret.get("cache-control")).toMatch(/(^|, )no-store$/);
  expect(secret.get("cache-tag")).toBeNull();
  if (body === null) return;
  expect(clientHeaders(kept, null)["cache-control"]).toBe("private, no-cache");
  expect(clientHeaders(secret, null)["cache-control"]).toBe("no-store");
});
