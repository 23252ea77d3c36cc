import { describe, expect, test } from "vitest";
import { useApi } from "../../../support/api.ts";
import { bearer, useRecords } from "../../../support/records.ts";

const api = useApi();
const records = useRecords();

describe("GET /v3/resources/process-resource-types", () => {
  test("answers any valid key with every machine size, in one query", async () => {
    const size = await records.resourceType({ cpuMillicores: 1_500, memoryMegabytes: 2_048, category: "cpuOptimized" });
    const { token } = await records.key(await records.company(), { permissions: [] });
    const before = api.queries();
    const response = await api.fetch("/v3/resources/process-resource-types", bearer(token));
    expect(api.queries() - before).toBe(1);
    expect(response.status).toBe(200);
    const sizes = (await response.json()) as { id: string; name: string; cpu_limit: number }[];
    expect(sizes.find(({ id }) => id === size.id)).toStrictEqual({
      id: size.id,
      name: `size-${size.id}`,
      cpu_limit: 1_500,
      memory_limit: 2_048,
      category: "cpuOptimized",
    });
    expect(sizes.map(({ name }) => name)).toEqual(expect.arrayContaining(["s1", "l2"]));
    expect(sizes.map((one) => one.cpu_limit)).toStrictEqual(sizes.map((one) => one.cpu_limit).sort((a, b) => a - b));
  });
});
