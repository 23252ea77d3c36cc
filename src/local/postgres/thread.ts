// The embedded Postgres in a thread of its own: a query keeps the thread it runs on busy, and nothing else could be done
// meanwhile. Takes its options as `workerData`, and posts where it is.
import { parentPort, workerData } from "node:worker_threads";
import { startEmbeddedPostgres } from "./embedded.ts";

const { connectionString } = await startEmbeddedPostgres(workerData ?? {});
parentPort?.postMessage(connectionString);
