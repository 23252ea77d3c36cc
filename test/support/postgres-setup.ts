// What the workers of the project `postgres` start with: a throw-away cluster, and in it a database to copy.
import pg from "pg";
import type { TestProject } from "vitest/node";
import { fill } from "./global-setup.ts";
import { startRealPostgres } from "./postgres.ts";

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const { connectionString, close } = await startRealPostgres();
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query("create database template");
  await client.end();
  const url = new URL(connectionString);
  url.pathname = "/template";
  await fill(url.href);
  provide("database", { server: url.href });
  return close;
}
