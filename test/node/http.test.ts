import { expect, test } from "vitest";
import { z } from "zod";
import { context, withContext } from "../../src/node/context.ts";
import { ask, RefusedError, UnreachableError } from "../../src/node/http.ts";

const SECRET = "the-secret";
const REQUEST = "POST /v1/things";

/** Asks an API that responds so for an object with a name. */
const askApi = (respond: () => Promise<Response> | Response): Promise<unknown> =>
  withContext({ ...context(), fetch: async () => respond() }, () =>
    ask(`https://api.example.com/v1/things?secret=${SECRET}`, z.object({ name: z.string() }), {
      method: "POST",
      token: SECRET,
      body: { secret: SECRET },
    }),
  );
const refusal = (body: object) => () => Response.json(body, { status: 403 });
const failure = (error: object) => () => Promise.reject(Object.assign(new TypeError(SECRET), error));

test("the body of a successful response is returned if it matches", async () => {
  expect(await askApi(() => Response.json({ name: "A", more: 1 }))).toStrictEqual({ name: "A" });
});

test.for<
  [type: typeof RefusedError | typeof UnreachableError, message: string, respond: () => Promise<Response> | Response]
>([
  [RefusedError, `refused ${REQUEST} (403): No\\u{001b}`, refusal({ message: "No\u001b" })],
  [
    RefusedError,
    `refused ${REQUEST} (403): No [code: 7] Never [code: 8]`,
    refusal({
      errors: [
        { code: 7, message: "No" },
        { code: 8, message: "Never" },
      ],
    }),
  ],
  [RefusedError, `refused ${REQUEST} (502): Bad gateway`, () => new Response("Bad gateway\n", { status: 502 })],
  [RefusedError, `refused ${REQUEST} (302).`, () => new Response(null, { status: 302, headers: { location: "/" } })],
  // It may be the secret that was asked for.
  [
    RefusedError,
    `responded to ${REQUEST} (200) with something else than expected.`,
    () => Response.json({ secret: SECRET }),
  ],
  [RefusedError, `responded to ${REQUEST} (200) with something else than expected.`, () => new Response(SECRET)],
  [UnreachableError, "cannot be reached: ECONNREFUSED.", failure({ cause: { code: "ECONNREFUSED" } })],
  [UnreachableError, "cannot be reached: TimeoutError.", failure({ name: "TimeoutError" })],
])("what fails is one line that names the origin, and no secret: %s %s", async ([type, message, respond]) => {
  const error = await askApi(respond).catch((thrown: Error) => thrown);
  expect(error).toBeInstanceOf(type);
  expect((error as Error).message).toBe(`https://api.example.com ${message}`);
});
