// A real PostgreSQL for one test run, from the binaries that Debian and Ubuntu install.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { getuid } from "node:process";
import { freePort } from "./free-port.ts";

const INSTALLED = "/usr/lib/postgresql";

/**
 * The guard: a shell that owns the cluster and outlives us by a moment. Its stdin is a pipe from this process, so that
 * it reads end-of-file when we close it and also when we are killed; then it stops the server and deletes the files.
 */
const GUARD = `
set -eu
dir=$(mktemp -d /tmp/process-api-postgres.XXXXXX)
trap 'rm -rf "$dir"' EXIT
printf %s "$PASSWORD" > "$dir/password"
"$BIN/initdb" --pgdata="$dir/data" --username=postgres --pwfile="$dir/password" \\
  --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync > "$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
"$BIN/postgres" -D "$dir/data" -c listen_addresses=127.0.0.1 -c port="$PORT" -c unix_socket_directories= \\
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c track_commit_timestamp=on -c timezone=UTC &
read -r _ || true
kill -QUIT $! || true
wait $! || true
`;

export interface RealPostgres {
  /** TCP on 127.0.0.1 as the superuser `postgres`, with a random password (scram-sha-256). */
  connectionString: string;
  /** Stops the server and deletes its files. */
  close(): Promise<void>;
}

/**
 * Starts a throw-away cluster of the newest PostgreSQL that is installed.
 *
 * @throws when none is installed, or the server does not start; the message then ends with the server's log.
 */
export async function startRealPostgres(): Promise<RealPostgres> {
  const bin = newestBinaries();
  const port = await freePort("127.0.0.1");
  const password = randomBytes(16).toString("hex");

  // initdb and postgres refuse to run as root; Debian's package brings the user `postgres`.
  const asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
  const [command = "", ...args] = [...(getuid?.() === 0 ? asPostgres : []), "sh", "-c", GUARD];
  const guard = spawn(command, args, {
    cwd: "/",
    env: { PATH: process.env.PATH, BIN: bin, PORT: String(port), PASSWORD: password },
    stdio: ["pipe", "ignore", "pipe"],
    // Its own process group: the terminal's Ctrl-C must not reach the guard before it has tidied up.
    detached: true,
  });
  const exited = once(guard, "exit");
  await serverIsReady(guard);

  return {
    connectionString: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    close: async () => {
      guard.stdin.end();
      await exited;
    },
  };
}

function newestBinaries(): string {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED) : [];
  const newest = versions
    .filter((version) => existsSync(`${INSTALLED}/${version}/bin/initdb`))
    .sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error(`No PostgreSQL server under ${INSTALLED}: apt-get install postgresql`);
  return `${INSTALLED}/${newest}/bin`;
}

function serverIsReady(guard: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    guard.once("error", reject);
    guard.once("exit", () => reject(new Error(`PostgreSQL did not start:\n${log}`)));
    guard.stderr?.on("data", (chunk: Buffer) => {
      log += chunk.toString();
      if (!log.includes("database system is ready to accept connections")) return;
      // From here on the log is only drained: a full pipe would stop the server.
      guard.stderr?.removeAllListeners("data").resume();
      resolve();
    });
  });
}
