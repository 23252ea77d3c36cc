// The Worker that most would write: Hono and Drizzle, a query for the key in a middleware, a query for the process, no
// cache.
import "../../../src/local/loopback.ts";
import { neon } from "@neondatabase/serverless";
import { and, eq, gt, isNull, or, sql } from "drizzle-orm";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { Hono } from "hono";
import { apiKeyCapabilities, apiKeys, apiKeyTokens } from "../../../src/worker/resources/api-key/table.ts";
import { applications } from "../../../src/worker/resources/application/table.ts";
import { processes } from "../../../src/worker/resources/process/table.ts";
import { processResourceTypes } from "../../../src/worker/resources/process-resource-type/table.ts";

interface Env {
  Bindings: { DATABASE_URL: string };
  Variables: { keyId: string; companyId: string };
}

let database: NeonHttpDatabase | undefined;
const openDatabase = (url: string) => {
  database ??= drizzle({ client: neon(url) });
  return database;
};

const encoder = new TextEncoder();

const app = new Hono<Env>();

app.use("/v3/*", async (c, next) => {
  const token = /^Bearer (svl_[0-9a-f]{64})$/.exec(c.req.header("authorization") ?? "")?.[1];
  if (token === undefined) return c.json({ message: "A valid API key is required." }, 401);
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(token));
  const [key] = await openDatabase(c.env.DATABASE_URL)
    .select({ id: apiKeys.id, companyId: apiKeys.companyId })
    .from(apiKeyTokens)
    .innerJoin(apiKeys, eq(apiKeys.id, apiKeyTokens.apiKeyId))
    .where(
      and(
        eq(apiKeyTokens.hash, new Uint8Array(digest).toHex()),
        apiKeys.isEnabled,
        or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)),
        or(isNull(apiKeyTokens.expiresAt), gt(apiKeyTokens.expiresAt, sql`now()`)),
      ),
    );
  if (key === undefined) return c.json({ message: "A valid API key is required." }, 401);
  c.set("keyId", key.id);
  c.set("companyId", key.companyId);
  return next();
});

app.get("/v3/applications/:id/processes/:process_id", async (c) => {
  const { id, process_id } = c.req.param();
  const [row] = await openDatabase(c.env.DATABASE_URL)
    .select()
    .from(processes)
    .innerJoin(applications, eq(applications.id, processes.applicationId))
    .innerJoin(
      apiKeyCapabilities,
      and(
        eq(apiKeyCapabilities.apiKeyId, c.var.keyId),
        eq(apiKeyCapabilities.permission, "APP:READ"),
        or(isNull(apiKeyCapabilities.resourceId), eq(apiKeyCapabilities.resourceId, applications.id)),
      ),
    )
    .leftJoin(processResourceTypes, eq(processResourceTypes.id, processes.resourceTypeId))
    .where(and(eq(processes.id, process_id), eq(applications.id, id), eq(applications.companyId, c.var.companyId)));
  if (row === undefined) return c.json({ message: "Process not found." }, 404);
  const { processes: process, applications: application, process_resource_types: size } = row;
  return c.json({
    id: process.id,
    app_id: process.applicationId,
    key: process.key,
    type: process.type,
    display_name: process.displayName,
    entrypoint: process.entrypoint,
    port: process.port,
    is_ingress_enabled: process.isIngressEnabled,
    ingress_protocol: process.ingressProtocol,
    scaling_strategy: process.scalingStrategy,
    resource_type_id: size?.id ?? null,
    resource_type_name: size?.name ?? null,
    cpu_limit: size?.cpuMillicores ?? null,
    memory_limit: size?.memoryMegabytes ?? null,
    schedule: process.schedule,
    time_zone: process.timeZone,
    job_start_policy: process.jobStartPolicy,
    liveness_probe: process.livenessProbe,
    readiness_probe: process.readinessProbe,
    internal_hostname: `${application.name}-${process.key}.${application.namespace}.svc.cluster.local`,
    created_at: process.createdAt.toISOString(),
    updated_at: process.updatedAt.toISOString(),
  });
});

export default app;
