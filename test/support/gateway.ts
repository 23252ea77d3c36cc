// The gateway by itself, in front of an Api that finds whatever it is asked for.
import { KEY_HASH_HEADER } from "../../src/worker/shared/internal-headers.ts";
import { randomToken, sha256 } from "./records.ts";

// workerd has it; Node does not yet (https://github.com/tc39/proposal-arraybuffer-base64).
Uint8Array.prototype.toHex ??= function (this: Uint8Array) {
  return Buffer.from(this).toString("hex");
};

/** Node's part of it: with a path, the types of workerd would come along. */
const { createGateway }: { createGateway(): { fetch(request: Request, env: object, ctx: object): Promise<Response> } } =
  await import(new URL("../../src/worker/gateway/index.ts", import.meta.url).href);
const gateway = createGateway();
const TOKEN = randomToken();
const env = { DATABASE_URL: "postgres://user@host/database" };

/** Sends a request target through the gateway. @returns the response, and the request that it made of it, if it did */
export async function askGateway(target: string, method = "GET"): Promise<{ response: Response; asked?: Request }> {
  let asked: Request | undefined;
  const answer = async (request: Request | string, init?: RequestInit) => {
    asked = new Request(request, init);
    return Response.json({}, { headers: { [KEY_HASH_HEADER]: sha256(TOKEN) } });
  };
  const exports = { Api: () => ({ fetch: answer, fetchUncached: answer }) };
  const request = new Request(`https://host${target}`, { method, headers: { authorization: `Bearer ${TOKEN}` } });
  const response = await gateway.fetch(request, env, { exports });
  return { response, ...(asked && { asked }) };
}

/** The URL that the Api is asked for, from its root; undefined if there is no endpoint. @throws the message of another failure */
export async function canonicalOf(target: string): Promise<string | undefined> {
  const { response, asked } = await askGateway(target);
  if (asked !== undefined) return asked.url.slice("https://api".length);
  if (response.headers.get("error-reason") === "no_such_endpoint") return undefined;
  throw new Error(((await response.json()) as { message: string }).message);
}
