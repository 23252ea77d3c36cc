// The embedded Postgres in a thread of its own: a query keeps the thread it runs on busy, and nothing else could be done
// meanwhile. Takes the path of a snapshot as `workerData`, and posts where it is.
import { parentPort, workerData } from "node:worker_threads";
import { startEmbeddedPostgres } from "./embedded.ts";

const { connectionString } = await startEmbeddedPostgres(workerData ?? undefined);
parentPort?.postMessage(connectionString);
