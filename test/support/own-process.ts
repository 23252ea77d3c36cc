import type { TestApi } from "./api.ts";
import { bearer, type Records } from "./records.ts";

/** A cron process that no other test reads, with one run, and a key of its company that may read and write it. */
export async function createOwnProcess(api: TestApi, records: Records) {
  const companyId = await records.company();
  const ids = await records.pathIds(companyId);
  const key = await records.key(companyId, { permissions: ["APP:READ", "APP:UPDATE"] });
  const list = `/v3/applications/${ids.id}/processes`;
  const path = `${list}/${ids.process_id}`;
  /** Reads the process, or what else is said, with that key, or another token. */
  const get = (
    headers: Record<string, string> = {},
    { what = path, token = key.token, method = "GET" }: { what?: string; token?: string; method?: string } = {},
  ) => api.fetch(what, { method, headers: { ...bearer(token).headers, ...headers } });
  const rename = (name: string) =>
    records.pool.query("update processes set display_name = $1 where id = $2", [name, ids.process_id]);
  return { companyId, applicationId: ids.id, processId: ids.process_id, ids, key, list, path, get, rename };
}
