// One resource, many spellings of its URL.
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { SEED_PROCESSES, SEED_TOKENS } from "../../../drizzle/seed.ts";
import { OPERATION_HEADER } from "../../../src/worker/shared/internal-headers.ts";
import { useApi } from "../../support/api.ts";
import { isError } from "../../support/contract.ts";
import { askGateway, canonicalOf } from "../../support/gateway.ts";
import { operations } from "../../support/operations.ts";

const api = useApi();

const [{ applicationId, processId }] = SEED_PROCESSES;
const LIST = `/v3/applications/${applicationId}/processes`;
const PATH = `${LIST}/${processId}`;
const NIL = "00000000-0000-0000-0000-000000000000";
const MAX = "ffffffff-ffff-ffff-ffff-ffffffffffff";
const ENCODED = [...processId].map((character) => `%${character.charCodeAt(0).toString(16)}`).join("");

test.for([
  ["upper case in the ids", `/v3/applications/${applicationId.toUpperCase()}/processes/${processId.toUpperCase()}`],
  ["unknown query parameters", `${PATH}?utm_source=mail&x&y=1`],
  ["a query that is empty", `${PATH}?`],
  ["percent-encoded letters", PATH.replace("applications", "%61pplications").replace(processId, ENCODED)],
  ["dot segments", `/v3/./x/../applications/${applicationId}/processes/${processId}`],
  ["encoded dot segments", `/v3/%2e/x/%2E%2e/applications/${applicationId}/processes/${processId}`],
  ["the nil UUID", `${LIST}/${NIL}`, `${LIST}/${NIL}`],
  ["the max UUID in upper case", `${LIST}/${MAX.toUpperCase()}`, `${LIST}/${MAX}`],
])("%s is one spelling of a process: %s", async ([_, target, expected = PATH]) => {
  expect(await canonicalOf(String(target))).toBe(expected);
});

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
] as const)("no endpoint has %s: %s", async ([_, target]) => {
  expect(await canonicalOf(target)).toBeUndefined();
});

test.for([
  ["id", `/v3/applications/my-app/processes/${processId}`],
  ["id", "/v3/applications/x/processes/y"],
  ...[
    "web",
    `${processId}0`,
    `{${processId}}`,
    processId.replaceAll("-", ""),
    `${processId}%00`,
    `${processId}%2F`,
    `%20${processId}`,
    "%E0%A4%A",
    "00000000-0000-0000-0000-000000000001",
    "fb5e5168-4281-9bec-94c5-0d1584e9e657",
  ].map((id) => ["process_id", `${LIST}/${id}`] as const),
] as const)("the parameter %s is no UUID in %s", async ([parameter, target]) => {
  await expect(canonicalOf(target)).rejects.toThrow(`The path parameter "${parameter}" is invalid: expected a UUID.`);
});

test("the Api is told which operation is asked for, whatever the client says", async () => {
  for (const { id, method, path } of operations) {
    if (method === "PATCH" || method === "POST") continue;
    const { asked } = await askGateway(path(), method);
    expect([asked?.method, asked?.headers.get(OPERATION_HEADER)]).toStrictEqual([method, id]);
  }
  expect((await askGateway(PATH, "HEAD")).asked?.headers.get(OPERATION_HEADER)).toBe("getProcessV3");
});

test.for([["no operation"], ["an unknown one", "getNothingV3"], ["one of another method", "deleteProcessV3"]] as const)(
  "the Api answers nothing where it is told %s",
  async ([_, operation]) => {
    const before = api.queries();
    expect(await api.askDirectly(PATH, SEED_TOKENS.full, operation)).toBe(500);
    expect(api.queries()).toBe(before);
    expect(await api.askDirectly(PATH, SEED_TOKENS.full, "getProcessV3")).toBe(200);
  },
);

/** A GET whose request target is sent as it is written: fetch() would tidy it up. */
async function getRaw(target: string): Promise<{ status: number; body: unknown }> {
  const { hostname, port } = api.url;
  const socket = connect(Number(port), hostname);
  const headers = `host: ${hostname}\r\nauthorization: Bearer ${SEED_TOKENS.full}\r\nconnection: close`;
  socket.write(`GET ${target} HTTP/1.1\r\n${headers}\r\n\r\n`);
  const response = await text(socket);
  return { status: Number(response.split(" ")[1]), body: JSON.parse(String(/\{.*\}/s.exec(response)?.[0])) };
}

test("a request target is read as it is sent, and a parameter that is no UUID costs no query", async () => {
  const spelling = `/v3/./x/%2E%2e/%61pplications/${applicationId.toUpperCase()}/processes/${ENCODED}?x`;
  expect(await getRaw(spelling)).toMatchObject({ status: 200, body: { id: processId } });
  expect(await getRaw(`${PATH}/`)).toMatchObject({ status: 404, body: { message: "There is no such endpoint." } });
  const before = api.queries();
  const { status, body } = await getRaw(`${LIST}/${processId}%00`);
  expect([status, isError(body), api.queries() - before]).toStrictEqual([400, true, 0]);
  const message = 'The path parameter "process_id" is invalid: expected a UUID.';
  expect(body).toMatchObject({ message, data: { message: "Expected a UUID." } });
});
