// What `npm run dev` says where the Neon driver cannot query the database.
import { describe, expect, inject, test } from "vitest";
import { CommandError } from "../../src/cli/support/errors.ts";
import { assertDriverReaches } from "../../src/local/driver.ts";
import { startNeonEndpoint } from "../../src/local/neon/endpoint.ts";
import { EndpointError } from "../../src/local/neon/errors.ts";

/** @param error undefined: it answers */
async function reach(error?: EndpointError, afterClosing = false): Promise<void> {
  const endpoint = await startNeonEndpoint({
    connectionString: inject("connectionString"),
    intercept: () => {
      if (error !== undefined) throw error;
      return false;
    },
  });
  if (afterClosing) await endpoint.close();
  try {
    await assertDriverReaches(endpoint.connectionString);
  } finally {
    await endpoint.close();
  }
}

describe("the driver", () => {
  test("that is answered is no reason to say anything", async () => {
    await reach();
  });

  test.for([
    ["refuses the password", new EndpointError(400, { message: "wrong password" }), "wrong password"],
    ["fails", new EndpointError(500, { message: "out of order" }), "Server error (HTTP status 500): out of order"],
  ] as const)("that meets an endpoint which %s says so in its words", async ([_, error, words]) => {
    await expect(reach(error)).rejects.toThrow(new CommandError(`The Neon driver cannot query the database: ${words}`));
  });

  test("that meets no endpoint says the reason", async () => {
    await expect(reach(undefined, true)).rejects.toThrow("The Neon driver cannot query the database: ECONNREFUSED");
  });
});
