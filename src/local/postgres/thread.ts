// The embedded Postgres in a thread of its own: a query keeps the thread it runs on busy, and nothing else could be done
// meanwhile. Posts where it is. `workerData.snapshot` is the path of a dump of PGlite's to begin with.
import { openAsBlob } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { startEmbeddedPostgres } from "./embedded.ts";

const { snapshot } = (workerData ?? {}) as { snapshot?: string };
const { connectionString } = await startEmbeddedPostgres(
  snapshot === undefined ? {} : { loadDataDir: await openAsBlob(snapshot) },
);
parentPort?.postMessage(connectionString);
