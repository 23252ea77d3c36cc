import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../../drizzle/seed.ts";
import { useApi } from "../../../support/api.ts";
import { isProcess } from "../../../support/contract.ts";
import { bearer } from "../../../support/records.ts";

const api = useApi();

const pathOf = (applicationId: string, processId: string) => `/v3/applications/${applicationId}/processes/${processId}`;

describe("GET /v3/applications/{id}/processes/{process_id}", () => {
  test.for(SEED_PROCESSES)("answers with a $kind process that is valid by the contract", async (seeded) => {
    const response = await api.fetch(pathOf(seeded.applicationId, seeded.processId), bearer(seeded.token));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    const payload = await response.json();
    isProcess(payload);
    expect(isProcess.errors).toBeNull();
    expect(payload).toMatchObject({ id: seeded.processId, app_id: seeded.applicationId });
  });

  test("takes both tokens of a key in rotation", async () => {
    const [web] = SEED_PROCESSES;
    for (const token of [SEED_TOKENS.rotatedOld, SEED_TOKENS.rotatedNew]) {
      expect((await api.fetch(pathOf(web.applicationId, web.processId), bearer(token))).status).toBe(200);
    }
  });

  test("answers HEAD with the headers of GET and no body", async () => {
    const [web] = SEED_PROCESSES;
    const init = bearer(web.token);
    const get = await api.fetch(pathOf(web.applicationId, web.processId), init);
    const head = await api.fetch(pathOf(web.applicationId, web.processId), { ...init, method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    for (const name of ["content-type", "etag", "last-modified", "cache-control"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
    // Absent or that of GET (RFC 9110, section 8.6).
    expect([null, get.headers.get("content-length")]).toContain(head.headers.get("content-length"));
  });
});
