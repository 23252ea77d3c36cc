// The data of the benchmarks: customers of one shape, with ids and tokens that follow from their numbers.
import { createHash } from "node:crypto";
import { withClient } from "./client.ts";

export interface Population {
  /** One for each company. */
  keys: number;
  /** In all; a multiple of {@link Population.keys} and of four. */
  processes: number;
}

/** One process, and a key that may read it. */
export interface Target {
  path: string;
  token: string;
  processId: string;
}

/** The processes of an application: a web process, a worker, a cron process and a job. */
export const PROCESSES_PER_APPLICATION = 4;

type Kind = "company" | "application" | "process" | "key" | "resource type";
const BLOCKS: Record<Kind, string> = {
  company: "b001",
  application: "b002",
  process: "b003",
  key: "b004",
  "resource type": "b005",
};

const idPrefix = (kind: Kind): string => `00000000-${BLOCKS[kind]}-4000-8000-`;
const idOf = (kind: Kind, n: number): string => idPrefix(kind) + String(n).padStart(12, "0");
/** Unlike those of the seed. */
const TOKEN_PREFIX = "svl_b";
const tokenOf = (key: number): string => `${TOKEN_PREFIX}${String(key).padStart(63, "0")}`;

/** The process number `n`, from 0; every fourth is a web process, which has the largest payload. */
export function targetOf({ keys }: Population, n: number): Target {
  const application = Math.floor(n / PROCESSES_PER_APPLICATION);
  const processId = idOf("process", n);
  return {
    path: `/v3/applications/${idOf("application", application)}/processes/${processId}`,
    token: tokenOf(application % keys),
    processId,
  };
}

/** The SHA-256 of a target's token, as the database has it. */
export const hashOf = ({ token }: Pick<Target, "token">): string => createHash("sha256").update(token).digest("hex");

/** Writes a population into a migrated database. */
export async function populate(connectionString: string, { keys, processes }: Population): Promise<void> {
  const id = (kind: Kind, n: string) => `('${idPrefix(kind)}' || lpad((${n})::text, 12, '0'))::uuid`;
  const token = (n: string) => `'${TOKEN_PREFIX}' || lpad((${n})::text, 63, '0')`;
  const statements = [
    `insert into process_resource_types (id, name, cpu_millicores, memory_megabytes, category)
       values ('${idOf("resource type", 0)}', 'bench-s1', 500, 512, 'standard')`,
    `insert into companies (id, name)
       select ${id("company", "n")}, 'Company ' || n from generate_series(0, ${keys - 1}) n`,
    `insert into api_keys (id, company_id, name)
       select ${id("key", "n")}, ${id("company", "n")}, 'Key ' || n from generate_series(0, ${keys - 1}) n`,
    `insert into api_key_tokens (hash, api_key_id, masked)
       select sha256((${token("n")})::bytea), ${id("key", "n")}, 'svl_00…' || lpad((n % 10000)::text, 4, '0')
       from generate_series(0, ${keys - 1}) n`,
    `insert into api_key_capabilities (api_key_id, company_id, permission)
       select ${id("key", "n")}, ${id("company", "n")}, 'APP:READ' from generate_series(0, ${keys - 1}) n`,
    `insert into applications (id, company_id, name, display_name, namespace)
       select ${id("application", "n")}, ${id("company", `n % ${keys}`)}, 'app-' || n, 'Application ' || n, 'app-' || n || '-a1b2c3'
       from generate_series(0, ${processes / PROCESSES_PER_APPLICATION - 1}) n`,
    `insert into processes (id, application_id, resource_type_id, key, type, display_name, entrypoint, port, is_ingress_enabled,
         ingress_protocol, scaling_strategy, liveness_probe, readiness_probe, schedule, time_zone, job_start_policy)
       select ${id("process", "n")}, ${id("application", `n / ${PROCESSES_PER_APPLICATION}`)}, '${idOf("resource type", 0)}',
         kind, kind::process_type, 'The ' || kind || ' process', 'node dist/' || kind || '.js',
         case kind when 'web' then 8080 end, kind = 'web', case kind when 'web' then 'http'::ingress_protocol end,
         '{"type":"horizontal","config":{"minInstanceCount":2,"maxInstanceCount":10,"targetCpuPercent":70,"scaleUpIncrement":2}}',
         case kind when 'web' then '{"httpGet":{"path":"/health","port":8080,"scheme":"HTTP"},"periodSeconds":10}'::jsonb end,
         case kind when 'web' then '{"httpGet":{"path":"/ready","port":8080,"scheme":"HTTP"},"initialDelaySeconds":5}'::jsonb end,
         case kind when 'cron' then '0 3 * * *' end, case kind when 'cron' then 'America/New_York' end,
         case kind when 'job' then 'beforeDeployment'::job_start_policy end
       from generate_series(0, ${processes - 1}) n, lateral (select (array['web', 'worker', 'cron', 'job'])[1 + n % 4] as kind) k`,
    // Now, or the server would do so while something is measured.
    "vacuum analyze",
    "checkpoint",
  ];
  await withClient(connectionString, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}
