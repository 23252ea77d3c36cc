// The behaviour of drizzle-orm/neon-http that our code expects. A file of its own: for the whole process, Drizzle makes
// the driver leave dates and intervals as text.
import { eq, sql as fragment } from "drizzle-orm";
import { drizzle } from "drizzle-orm/neon-http";
import { customType, integer, jsonb, pgSchema, text, timestamp } from "drizzle-orm/pg-core";
import { afterAll, beforeEach, expect, it } from "vitest";
import { errorOf, openDatabase } from "./database.ts";

const { sql, schema, close } = await openDatabase();
const db = drizzle({ client: sql });

const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => "bytea" });
const things = pgSchema(schema).table("things", {
  id: integer().primaryKey(),
  name: text().notNull(),
  details: jsonb().$type<{ tags: string[]; size?: number }>(),
  hash: bytea(),
  createdAt: timestamp("created_at", { withTimezone: true, mode: "date" }).defaultNow(),
});
const thing = {
  id: 1,
  name: `Zoë's "thing"`,
  details: { tags: ["a", "b"], size: 1.5 },
  hash: Buffer.from("00ff", "hex"),
  createdAt: new Date("2024-02-29T10:34:56.789Z"),
};

beforeEach(async () => {
  await sql.query(`DROP TABLE IF EXISTS ${schema}.things`);
  await sql.query(
    `CREATE TABLE ${schema}.things
      (id int PRIMARY KEY, name text NOT NULL, details jsonb, hash bytea, created_at timestamptz DEFAULT now())`,
  );
  await db.insert(things).values(thing);
});

afterAll(close);

it("inserts and selects every column type it maps", async () => {
  const other = { ...thing, id: 2, hash: Buffer.from("01", "hex"), createdAt: new Date(0) };
  expect(await db.insert(things).values(other).returning()).toEqual([other]);
  expect(await db.select().from(things).where(eq(things.hash, thing.hash))).toEqual([thing]);
  expect(await db.select().from(things).where(eq(things.createdAt, thing.createdAt))).toEqual([thing]);
  expect(
    await db
      .select()
      .from(things)
      .where(eq(things.hash, Buffer.from("ff", "hex"))),
  ).toEqual([]);
});

it("reads a default timestamp as a date, and absent values as null", async () => {
  const [row] = await db.insert(things).values({ id: 2, name: "bare" }).returning();
  expect(row).toEqual({ id: 2, name: "bare", details: null, hash: null, createdAt: expect.any(Date) });
});

it("selects expressions, and runs raw SQL", async () => {
  const tags = fragment<number>`jsonb_array_length(${things.details} -> 'tags')`;
  expect(await db.select({ tags }).from(things)).toEqual([{ tags: 2 }]);
  const { rows } = await db.execute(fragment`SELECT name FROM ${things} WHERE id = ${1}`);
  expect(rows).toEqual([{ name: thing.name }]);
});

it("runs a batch as one transaction", async () => {
  const insert = (id: number) => db.insert(things).values({ id, name: "batched" });
  const ids = db.select({ id: things.id }).from(things).where(eq(things.name, "batched"));
  expect(await db.batch([insert(2), ids])).toMatchObject([{ rowCount: 1 }, [{ id: 2 }]]);
  expect(await errorOf(db.batch([insert(3), insert(2)]))).toMatchObject({ code: "23505" });
  expect(await ids).toEqual([{ id: 2 }]);
});

it("has Postgres's error as the cause of its own", async () => {
  await expect(db.insert(things).values({ id: 1, name: "again" })).rejects.toMatchObject({
    name: "Error",
    cause: { name: "NeonDbError", code: "23505", constraint: "things_pkey" },
  });
});

it("has no interactive transactions over HTTP", async () => {
  await expect(db.transaction(async () => {})).rejects.toThrow("No transactions support in neon-http driver");
});
