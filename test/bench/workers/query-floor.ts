// The least that a miss can cost: our statement, sent with `fetch`, and the database's answer as it comes.
interface Env {
  NEON_URL: string;
  DATABASE_URL: string;
  /** The statement of `getProcessForKey`, its parameters in the order below. */
  STATEMENT: string;
}

const encoder = new TextEncoder();
const PATH = /\/v3\/applications\/([^/]+)\/processes\/([^/]+)$/;

export default {
  async fetch(request, env) {
    const [, applicationId, processId] = PATH.exec(request.url) ?? [];
    const token = request.headers.get("authorization")?.slice("Bearer ".length);
    const hash = await crypto.subtle.digest("SHA-256", encoder.encode(token));
    const keyHash = `\\x${new Uint8Array(hash).toHex()}`;
    return fetch(env.NEON_URL, {
      method: "POST",
      headers: {
        "Neon-Connection-String": env.DATABASE_URL,
        "Neon-Raw-Text-Output": "true",
        "Neon-Array-Mode": "true",
      },
      body: JSON.stringify({
        query: env.STATEMENT,
        params: ["APP:READ", applicationId, keyHash, applicationId, processId, "1"],
      }),
    });
  },
} satisfies ExportedHandler<Env>;
