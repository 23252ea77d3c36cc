// After a change that cannot be built or started, wrangler lets every request wait for the next change that can be. Here
// the requests are answered meanwhile, with what is wrong.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { stripVTControlCharacters } from "node:util";
import { formatMessagesSync, type Message } from "esbuild";
import type { unstable_DevEnv as DevEnv } from "wrangler";
import { CommandError } from "../node/errors.ts";

/** `buildFailed`: the source cannot be built. `error`: what was built cannot be started, or wrangler.toml is wrong. */
const FAILURES = ["buildFailed", "error"] as const;

/**
 * Prints why the Worker cannot be built or started, and answers in its place: 500, and why. Wrangler's proxy sends the
 * requests here, also those that wait already, until there is another Worker to send them to.
 *
 * @param devEnv is not started yet
 * @returns settles with the Worker's first start; rejects with a CommandError
 */
export function watchForFailures(devEnv: DevEnv, started: AsyncDisposableStack): Promise<void> {
  let body = "";
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(500, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" }).end(body);
  });
  // The client closes first, so that no request meets a connection that is closing.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  started.defer(() => server.close().closeAllConnections());

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // It may be rejected before anybody awaits it.
  promise.catch(() => {});
  devEnv.once("reloadComplete", () => resolve());
  for (const name of FAILURES) {
    devEnv.on(name, (event: Failure) => {
      const failure = describeFailure(event);
      console.error(failure);
      body = `The last change cannot be built or started:\n\n${failure}\n`;
      const port = String((server.address() as AddressInfo).port);
      const proxyData = { userWorkerUrl: { protocol: "http:", hostname: "127.0.0.1", port }, headers: {} };
      void devEnv.proxy.sendMessageToProxyWorker({ type: "play", proxyData });
      reject(new CommandError("The Worker cannot be built or started."));
    });
  }
  return promise;
}

/** What wrangler and the tools under it put into an error or into the causes of one. */
interface Failure {
  message?: string;
  cause?: unknown;
  /** Of esbuild. */
  errors?: Message[];
  /** Of wrangler, where a file cannot be parsed. */
  location?: object;
  /** Of the command under `[build]` in wrangler.toml. */
  output?: { stderr: string };
}

/** @param failure an error, or an event of wrangler whose cause is one */
export function describeFailure(failure: unknown): string {
  let message = "";
  for (let next = failure as Failure | undefined; next instanceof Object; next = next.cause as Failure | undefined) {
    const errors = next.location === undefined ? next.errors : [next as Message];
    if (errors?.length) return formatMessagesSync(errors, { kind: "error" }).join("").trim();
    if (next.output?.stderr) return stripVTControlCharacters(next.output.stderr).trim();
    message ||= next.message ?? "";
  }
  // What workerd says is a line of JSON.
  return stripVTControlCharacters(message).replaceAll(/^\{"timestamp":.*\}$/gm, (line) => JSON.parse(line).message);
}
