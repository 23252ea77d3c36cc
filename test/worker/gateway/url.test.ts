// One resource, many spellings of its URL.
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { useApi } from "../../support/api.ts";
import { isError } from "../../support/contract.ts";
import { bearer, useRecords } from "../../support/records.ts";

const api = useApi();
const records = useRecords();

const [web] = SEED_PROCESSES;
const { applicationId, processId } = web;
const PATH = `/v3/applications/${applicationId}/processes/${processId}`;

/** A GET whose request target goes out as it is written: fetch() would tidy it up. */
async function getRaw(target: string): Promise<{ status: number; body: unknown }> {
  const { hostname, port } = api.url;
  const socket = connect(Number(port), hostname);
  socket.write(
    `GET ${target} HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${SEED_TOKENS.full}\r\nconnection: close\r\n\r\n`,
  );
  const answer = await text(socket);
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const json = /\{.*\}/s.exec(rest.join("\r\n\r\n"))?.[0];
  return { status: Number(head.split(" ")[1]), body: json === undefined ? undefined : JSON.parse(json) };
}

describe("the same process", () => {
  test.for([
    [
      "upper case in the ids",
      PATH.toUpperCase().replace("/V3/APPLICATIONS/", "/v3/applications/").replace("/PROCESSES/", "/processes/"),
    ],
    ["unknown query parameters", `${PATH}?utm_source=mail&x&y=1`],
    ["a query that is empty", `${PATH}?`],
    [
      "percent-encoded letters",
      PATH.replace("applications", "%61pplications").replace(processId, encodeAll(processId)),
    ],
    ["dot segments", `/v3/./x/../applications/${applicationId}/processes/${processId}`],
    ["encoded dot segments", `/v3/%2e/x/%2E%2e/applications/${applicationId}/processes/${processId}`],
  ])("is found by %s", async ([_, target]) => {
    const { status, body } = await getRaw(String(target));
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: processId });
  });

  test("is found by the nil and the max UUID, in any case", async () => {
    const companyId = await records.company();
    const application = await records.application(companyId);
    const { token } = await records.key(companyId);
    await records.process(application.id, { id: NIL });
    await records.process(application.id, { id: MAX });
    try {
      for (const id of [NIL, MAX, MAX.toUpperCase()]) {
        const response = await api.fetch(`/v3/applications/${application.id}/processes/${id}`, bearer(token));
        expect([id, response.status]).toStrictEqual([id, 200]);
        expect(await response.json()).toMatchObject({ id: id.toLowerCase() });
      }
    } finally {
      // The only rows that two runs on one database could both want.
      await records.pool.query("delete from processes where id = any($1)", [[NIL, MAX]]);
    }
  });
});

const NIL = "00000000-0000-0000-0000-000000000000";
const MAX = "ffffffff-ffff-ffff-ffff-ffffffffffff";

describe("no endpoint", () => {
  test.for([
    ["a slash at the end", `${PATH}/`],
    ["an empty segment", PATH.replace("/processes", "//processes")],
    ["an empty segment at the start", `/${PATH}`],
    ["an empty id", `/v3/applications//processes/${processId}`],
    ["other case in a word", PATH.replace("applications", "Applications")],
    ["another version", PATH.replace("v3", "v2")],
    ["a segment more", `${PATH}/logs`],
    ["a segment less", "/v3/resources"],
    ["the root of the version", "/v3"],
    ["a backslash", PATH.replace("/v3/", "/v3\\x\\")],
  ])("is at %s", async ([_, target]) => {
    const { status, body } = await getRaw(String(target));
    expect(status).toBe(404);
    expect(isError(body)).toBe(true);
    expect(body).toMatchObject({ message: "There is no such endpoint." });
  });
});

describe("a parameter that is no UUID", () => {
  test.for([
    ["id", `/v3/applications/my-app/processes/${processId}`],
    ["process_id", `/v3/applications/${applicationId}/processes/web`],
    ["process_id", `${PATH}0`],
    ["process_id", `/v3/applications/${applicationId}/processes/{${processId}}`],
    ["process_id", `/v3/applications/${applicationId}/processes/${processId.replaceAll("-", "")}`],
    ["process_id", `/v3/applications/${applicationId}/processes/${processId}%00`],
    ["process_id", `/v3/applications/${applicationId}/processes/${processId}%2F`],
    ["process_id", `/v3/applications/${applicationId}/processes/%20${processId}`],
    ["process_id", `/v3/applications/${applicationId}/processes/%E0%A4%A`],
    ["process_id", `/v3/applications/${applicationId}/processes/00000000-0000-0000-0000-000000000001`],
    ["process_id", `/v3/applications/${applicationId}/processes/fb5e5168-4281-9bec-94c5-0d1584e9e657`],
    ["id", `/v3/applications/x/processes/y`],
  ])("is named: %s in %s, without a query", async ([name, target]) => {
    const before = api.queries();
    const { status, body } = await getRaw(String(target));
    expect(status).toBe(400);
    expect(isError(body)).toBe(true);
    expect(body).toMatchObject({
      message: `The path parameter "${name}" is invalid.`,
      data: { message: "Expected a UUID." },
    });
    expect(api.queries()).toBe(before);
  });
});

function encodeAll(segment: string): string {
  return [...segment].map((character) => `%${character.charCodeAt(0).toString(16)}`).join("");
}
