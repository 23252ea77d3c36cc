// Needs two sessions at the same time; the embedded Postgres has one.
import { expect, test } from "vitest";
import { sha256, useRecords } from "../support/records.ts";
import { keys } from "./command.ts";

const records = useRecords();

test("rotations that wait for a lock take turns, and their overlap begins after the wait", async () => {
  const { id, token } = await records.key(await records.company());
  const holder = await records.pool.connect();
  try {
    await holder.query("begin");
    await holder.query("select from api_keys where id = $1 for update", [id]);
    const rotations = [keys(`rotate ${id} --quiet`), keys(`rotate ${id} --quiet`)];
    const waiting = "select from pg_stat_activity where application_name = 'process-api' and wait_event_type = 'Lock'";
    await expect.poll(async () => (await records.pool.query(waiting)).rowCount).toBe(2);
    const { rows } = await holder.query("select date_trunc('milliseconds', clock_timestamp()) as released");
    await holder.query("rollback");
    const printed = (await Promise.all(rotations)).map(({ stdout }) => sha256(stdout.trim()));
    const { rows: tokens } = await records.pool.query(
      `select encode(hash, 'hex') as hash, expires_at as end, created_at as "madeAt",
         lead(created_at) over made + interval '24 hours' as "dayAfterNext"
       from api_key_tokens where api_key_id = $1 window made as (order by created_at, expires_at nulls last)`,
      [id],
    );
    expect(tokens.map(({ hash }) => hash).toSorted()).toStrictEqual([sha256(token), ...printed].toSorted());
    expect(tokens.map(({ end }) => end)).toStrictEqual(tokens.map(({ dayAfterNext }) => dayAfterNext));
    for (const { madeAt } of tokens.slice(1)) expect(madeAt >= rows[0].released).toBe(true);
  } finally {
    holder.release(true);
  }
});
