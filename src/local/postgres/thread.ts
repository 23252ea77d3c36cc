// The embedded Postgres in a thread of its own: a query keeps the thread it runs on busy, and nothing else could be done
// meanwhile. Posts where it is.
import { parentPort } from "node:worker_threads";
import { startEmbeddedPostgres } from "./embedded.ts";

const { connectionString } = await startEmbeddedPostgres();
parentPort?.postMessage(connectionString);
