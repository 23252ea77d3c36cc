// The server that one would otherwise deploy: Fastify and a pool of connections on Node, a query for the key, one for the
// process, both prepared. A process of its own, told by DATABASE_URL where the database is and by PREPARED whether that
// keeps what is prepared; says its port, and on demand the number of its queries.
import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import fastify from "fastify";
import pg from "pg";

/** As many as it is asked at once: with fewer, requests would wait for connections, not for the database. */
const MAX_CONNECTIONS = 32;

const KEY_QUERY = `
  select k.id, k.company_id from api_key_tokens t join api_keys k on k.id = t.api_key_id
  where t.hash = $1 and k.is_enabled and (k.expires_at is null or k.expires_at > now())
    and (t.expires_at is null or t.expires_at > now())`;

const PROCESS_QUERY = `
  select p.*, a.name as app_name, a.namespace, r.name as resource_type_name, r.cpu_millicores, r.memory_megabytes
  from processes p join applications a on a.id = p.application_id
    join api_key_capabilities c on c.api_key_id = $4 and c.permission = 'APP:READ' and (c.resource_id is null or c.resource_id = a.id)
    left join process_resource_types r on r.id = p.resource_type_id
  where p.id = $1 and a.id = $2 and a.company_id = $3`;

const nullable = (type: "string" | "integer") => ({ type, nullable: true });
const anything = { type: "object", nullable: true, additionalProperties: true };

/** With it, fast-json-stringify writes the answer. */
const PROCESS_SCHEMA = {
  type: "object",
  properties: {
    id: { type: "string" },
    app_id: { type: "string" },
    key: { type: "string" },
    type: nullable("string"),
    display_name: nullable("string"),
    entrypoint: { type: "string" },
    port: nullable("integer"),
    is_ingress_enabled: { type: "boolean" },
    ingress_protocol: nullable("string"),
    scaling_strategy: anything,
    resource_type_id: nullable("string"),
    resource_type_name: nullable("string"),
    cpu_limit: nullable("integer"),
    memory_limit: nullable("integer"),
    schedule: nullable("string"),
    time_zone: nullable("string"),
    job_start_policy: nullable("string"),
    liveness_probe: anything,
    readiness_probe: anything,
    internal_hostname: nullable("string"),
    created_at: { type: "string" },
    updated_at: { type: "string" },
  },
};

// They stay open while others are measured, as they would under steady traffic.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: MAX_CONNECTIONS, idleTimeoutMillis: 0 });
const isPrepared = process.env.PREPARED === "true";
let queries = 0;

async function query(name: string, text: string, values: unknown[]) {
  queries++;
  const { rows } = await pool.query({ ...(isPrepared && { name }), text, values });
  return rows[0];
}

const app = fastify();
app.decorateRequest("key", null);

app.addHook("onRequest", async (request, reply) => {
  const token = /^Bearer (svl_[0-9a-f]{64})$/.exec(request.headers.authorization ?? "")?.[1];
  const hash = token && createHash("sha256").update(token).digest();
  const key = hash && (await query("key", KEY_QUERY, [hash]));
  if (key === undefined) return reply.code(401).send({ message: "A valid API key is required." });
  request.setDecorator("key", key);
});

app.get<{ Params: { id: string; process_id: string } }>(
  "/v3/applications/:id/processes/:process_id",
  { schema: { response: { 200: PROCESS_SCHEMA } } },
  async (request, reply) => {
    const { id, process_id } = request.params;
    const key = request.getDecorator<{ id: string; company_id: string }>("key");
    const row = await query("process", PROCESS_QUERY, [process_id, id, key.company_id, key.id]);
    if (row === undefined) return reply.code(404).send({ message: "Process not found." });
    return {
      ...row,
      app_id: row.application_id,
      cpu_limit: row.cpu_millicores === null ? null : Number(row.cpu_millicores),
      memory_limit: row.memory_megabytes === null ? null : Number(row.memory_megabytes),
      internal_hostname: `${row.app_name}-${row.key}.${row.namespace}.svc.cluster.local`,
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
    };
  },
);

await app.listen({ host: "127.0.0.1", port: 0 });
process.on("message", () => process.send?.(queries));
process.on("disconnect", () => process.exit());
process.send?.((app.server.address() as AddressInfo).port);
