// How many calls it takes, and how long they wait; in this process, so that no test waits.
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { batchesOf } from "../../src/cli/support/batches.ts";
import { purgeAll } from "../../src/cli/support/purge-all.ts";
import type { Changed } from "../../src/cli/support/worker.ts";
import { PURGES } from "../../src/worker/shared/limits.ts";
import { PURGE_SECRET, startApi, type TestApi } from "../support/api.ts";

const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
const tagsOf = (batch: Changed) => Object.values(batch).flat().length + (batch.resource_types ? 1 : 0);

describe("ids", () => {
  const list = fc.array(fc.nat(400).map(String), { maxLength: 350 });
  const changed = fc.record({ companies: list, applications: list, processes: list, keys: list, resource_types: list });

  test("all go once, in calls that are as full as may be", () => {
    fc.assert(
      fc.property(changed, (all) => {
        const batches = batchesOf(all);
        for (const [kind, given] of Object.entries(all)) {
          const sent = batches.flatMap((batch) => batch[kind as keyof Changed] ?? []);
          expect(sent).toStrictEqual([...new Set(given)]);
        }
        for (const batch of batches) expect(tagsOf(batch)).toBeLessThanOrEqual(PURGES.maxTagsPerCall);
        // An id of two tags may leave one place free.
        for (const batch of batches.slice(0, -1))
          expect(tagsOf(batch)).toBeGreaterThanOrEqual(PURGES.maxTagsPerCall - 1);
      }),
    );
  });

  test.for([
    [{ processes: ids(100) }, 1],
    [{ processes: ids(101) }, 2],
    [{ resource_types: ids(99) }, 1],
    [{ resource_types: ids(100) }, 2],
    [{ processes: ids(99), resource_types: ids(1) }, 2],
    [{ processes: ids(98), resource_types: ids(1) }, 1],
    [{}, 0],
    [{ keys: [] }, 0],
  ] as const)("are this many calls (%#)", ([changed, expected]) => {
    expect(batchesOf(changed)).toHaveLength(expected);
  });
});

describe("a Worker that refuses for a while", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startApi({ connectionString: inject("connectionString") });
  });
  afterAll(() => api.close());
  beforeEach(() => api.refusePurge(null));

  const LIMITED = { code: 1134, message: "rate limit reached" };

  /** Purges three calls' worth of ids of a Worker that takes purges again after so many waits. */
  async function purgeWithin(waitSeconds: number, waitsUntilTaken: number) {
    const worker = { origin: api.url.origin, secret: PURGE_SECRET };
    const waits: number[] = [];
    const told: number[] = [];
    await api.refusePurge(LIMITED);
    const report = await purgeAll(
      worker,
      { processes: ids(250) },
      {
        waitSeconds,
        onWait: (seconds) => told.push(seconds),
        sleep: async (ms) => {
          waits.push(ms);
          if (waits.length === waitsUntilTaken) await api.refusePurge(null);
        },
      },
    );
    expect(told.map((seconds) => seconds * 1_000)).toStrictEqual(waits);
    return {
      waits,
      purged: report.purged.length,
      left: report.left.processes?.length ?? 0,
      error: report.error?.message,
    };
  }

  test("is asked again when it says, and then for all the rest", async () => {
    expect(await purgeWithin(12, 1)).toStrictEqual({ waits: [12_000], purged: 250, left: 0, error: undefined });
    expect(await purgeWithin(24, 2)).toStrictEqual({ waits: [12_000, 12_000], purged: 250, left: 0, error: undefined });
  });

  test("is asked no longer than one may wait in all", async () => {
    const error = expect.stringContaining("answered 429.");
    expect(await purgeWithin(0, 1)).toStrictEqual({ waits: [], purged: 0, left: 250, error });
    expect(await purgeWithin(11, 1)).toStrictEqual({ waits: [], purged: 0, left: 250, error });
    expect(await purgeWithin(35, 3)).toStrictEqual({ waits: [12_000, 12_000], purged: 0, left: 250, error });
  });
});
