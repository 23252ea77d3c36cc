// Mistakes that the types must refuse: each line that is expected to be wrong is an error if it is right.
import type { Client } from "openapi-fetch";
import type { components, paths } from "../../../dist/process-api.d.ts";
import type { Process } from "./client.ts";

export function readCarelessly({ scaling_strategy: strategy, type, port }: Process): unknown[] {
  return [
    // @ts-expect-error it may be null
    strategy.type,
    // @ts-expect-error its type must be known first
    strategy?.config.instanceCount,
    // @ts-expect-error of the other type
    strategy?.type === "horizontal" && strategy.config.instanceCount,
    // @ts-expect-error there is no such type
    type === "service",
    // @ts-expect-error it may be null
    port.toFixed(),
  ];
}

export async function askCarelessly(api: Client<paths>): Promise<void> {
  // @ts-expect-error there is no such path
  await api.GET("/sites");
  // @ts-expect-error nothing is written
  await api.POST("/api-keys/me");
  // @ts-expect-error which process?
  await api.GET("/applications/{id}/processes/{process_id}", { params: { path: { id: "x" } } });
  const { data } = await api.GET("/api-keys/me");
  // @ts-expect-error it may have been refused
  data.name;
}

type UpdateProcess = components["schemas"]["UpdateProcess"];
export const careful: UpdateProcess = { scaling_strategy: { type: "manual", config: { instanceCount: 1 } } };
// @ts-expect-error of which type?
export const careless: UpdateProcess = { scaling_strategy: { config: { instanceCount: 1 } } };
