// GitHub's pull requests: https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
import { once } from "node:events";
import { createServer } from "node:http";

export interface GithubStandIn {
  /** What a workflow has in its environment. */
  env: Record<string, string>;
  /** Numbers of the pull requests that are open. */
  open: Set<number>;
  close(): void;
}

const TOKEN = "a-github-token-for-the-stand-in-and-nothing-else";
const REPOSITORY = "owner/process-api";

/** Starts it on 127.0.0.1. */
export async function startGithub(): Promise<GithubStandIn> {
  const open = new Set<number>();
  const server = createServer(({ method, url = "", headers }, response) => {
    const { pathname, searchParams } = new URL(url, "http://localhost");
    const isKnown =
      method === "GET" && pathname === `/repos/${REPOSITORY}/pulls` && searchParams.get("state") === "open";
    if (headers.authorization !== `Bearer ${TOKEN}` || !isKnown) return void response.writeHead(404).end("{}");
    const size = Number(searchParams.get("per_page"));
    const from = (Number(searchParams.get("page")) - 1) * size;
    const found = [...open].slice(from, from + size).map((number) => ({ number }));
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(found));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The stand-in has no TCP address");
  return {
    env: {
      GITHUB_API_URL: `http://127.0.0.1:${address.port}`,
      GITHUB_REPOSITORY: REPOSITORY,
      GITHUB_TOKEN: TOKEN,
    },
    open,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
