import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { purgeChanged } from "../../../src/worker/gateway/purge.ts";
import { type HttpError, outcomeOf } from "../../../src/worker/shared/errors.ts";

const ids = (count: number): string[] => Array.from({ length: count }, () => randomUUID());
const purge = (body: unknown, errors: { code: number; message: string }[] = []) =>
  purgeChanged(typeof body === "string" ? body : JSON.stringify(body), async () => ({
    success: errors.length === 0,
    errors,
  }));

describe("a purge", () => {
  test("is of a tag for each id, in lower case, and of the list of machine sizes with one of them", async () => {
    const [company, application, process, key, size] = ids(5) as [string, string, string, string, string];
    const changed = {
      companies: [company.toUpperCase()],
      applications: [application],
      processes: [process, process],
      keys: [key],
      resource_types: [size],
    };
    expect(await purge(changed)).toStrictEqual([
      `company:${company}`,
      `application:${application}`,
      `process:${process}`,
      `key:${key}`,
      `resource-type:${size}`,
      "resource-type-list:every",
    ]);
  });

  test("is of a hundred different ids", async () => {
    const processes = ids(100);
    expect(await purge({ processes: [...processes, ...processes] })).toHaveLength(100);
  });

  const SHAPE = "an object of lists of ids: companies, applications, processes, keys, resource_types";
  test.for([
    ["{", "JSON"],
    [[], SHAPE],
    [null, SHAPE],
    [{ tags: ["x"] }, SHAPE],
    [{}, "at least one id"],
    [{ processes: [] }, "at least one id"],
    [{ processes: ["x"] }, "a UUID at processes.0"],
    [{ processes: "x" }, "a list of ids at processes"],
    [{ processes: ids(101) }, "at most 100 different ids; send the others in a second call"],
  ] as const)("of %j is refused: expected %s", async ([body, expected]) => {
    await expect(purge(body)).rejects.toMatchObject({ failure: { reason: "invalid_body", expected } });
  });

  test.for([
    [1134, "Please wait", 429, "12"],
    [0, "Unable to purge, rate limit reached", 429, "12"],
    [429, "Too many", 429, "12"],
    [10_000, "Something else", 503, "5"],
  ] as const)("that the platform refuses with %i %s is a %i", async ([code, message, status, seconds]) => {
    const refused = purge({ keys: ids(1) }, [{ code, message }]).catch(({ failure }: HttpError) => outcomeOf(failure));
    expect(await refused).toStrictEqual({ status, headers: { "retry-after": seconds } });
  });
});
