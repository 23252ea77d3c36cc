// Our one statement, outside the Worker.
import type pg from "pg";
import { captureStatement, type Sent } from "../support/statement.ts";
import { sendRead } from "../support/statements.ts";
import { withClient } from "./client.ts";
import { hashOf, type Target } from "./population.ts";
import { median } from "./statistics.ts";

/** The text of the statement that reads a process, and its parameters. */
export async function statementOf(target: Target): Promise<Sent> {
  const [, , , applicationId = ""] = target.path.split("/");
  const params = { keyHash: hashOf(target), id: applicationId, process_id: target.processId };
  return captureStatement((db) => sendRead(db, "getProcessV3", params));
}

/** How long Postgres plans and runs the statement, by its own account, in milliseconds: the median. */
export async function measureStatement(connectionString: string, targets: readonly Target[]): Promise<number> {
  return withClient(connectionString, async (client) => {
    const times: number[] = [];
    for (const target of targets) times.push(await timeOf(client, await statementOf(target)));
    return median(times);
  });
}

/** The same of any statement, which is run. */
export async function timeOf(client: pg.Client, sent: Sent): Promise<number> {
  const { planningMs, executionMs } = await timesOf(client, sent);
  return planningMs + executionMs;
}

/** How long Postgres plans a statement, and how long it runs it, by its own account. */
export async function timesOf(
  client: pg.Client,
  { text, params }: Sent,
): Promise<{ planningMs: number; executionMs: number }> {
  const { rows } = await client.query(`explain (analyze, timing off, summary, format json) ${text}`, params);
  const [plan] = rows[0]["QUERY PLAN"];
  return { planningMs: plan["Planning Time"], executionMs: plan["Execution Time"] };
}
