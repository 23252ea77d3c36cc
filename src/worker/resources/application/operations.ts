import { desc, type SQLWrapper, sql } from "drizzle-orm";
import type { Operations } from "../../api/operation.ts";
import { isoTimestamp } from "../../db/expressions.ts";
import { jsonArray, jsonObject } from "../../db/json.ts";
import { defineStatement } from "../../db/statement.ts";
import { PAGE } from "../../shared/limits.ts";
import { pageOf, pagePayload } from "../../statements/list.ts";
import { selectPayload } from "../../statements/read.ts";
import { ANY_RESOURCE, keyAccess } from "../api-key/access.ts";
import type * as contract from "./contract.ts";
import { type ApplicationRow, applicationsIn, ownApplication, ownApplications } from "./rows.ts";
import type { Application, ApplicationItem } from "./schema.ts";

const id = sql`${sql.placeholder("id")}`;

const itemMembers = (application: ApplicationRow): Record<keyof ApplicationItem, SQLWrapper> => ({
  id: application.id,
  name: application.name,
  display_name: application.displayName,
  status: application.status,
  type: application.type,
  source: application.source,
  is_suspended: application.isSuspended,
  created_at: isoTimestamp(application.createdAt),
  updated_at: isoTimestamp(application.updatedAt),
});

const getStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", id);
  const application = ownApplication(query, access, id);
  const payload = query
    .select({
      json: jsonObject({
        ...itemMembers(application),
        company_id: application.companyId,
        project_id: application.projectId,
        namespace: application.namespace,
        hibernation_enabled: application.isHibernationEnabled,
        hibernate_after_seconds: application.hibernateAfterSeconds,
        git_type: application.gitType,
        repo_url: application.repoUrl,
        default_branch: application.defaultBranch,
        auto_deploy: application.autoDeploy,
        allow_deploy_paths: application.allowDeployPaths,
        ignore_deploy_paths: application.ignoreDeployPaths,
        docker_image: application.dockerImage,
        docker_registry_credential_id: application.dockerRegistryCredentialId,
        build_type: application.buildType,
        build_path: application.buildPath,
        build_cache_enabled: application.isBuildCacheEnabled,
        pack_builder: application.packBuilder,
        buildpacks: application.buildpacks,
        nixpacks_version: application.nixpacksVersion,
        dockerfile_path: application.dockerfilePath,
        docker_context: application.dockerContext,
        cluster_id: application.clusterId,
        created_by: application.createdBy,
      } satisfies Record<keyof Application, SQLWrapper>).as("json"),
      lastModified: sql`${application.updatedAt}`.as("last_modified"),
    })
    .from(application)
    .limit(1)
    .as("payload");
  return selectPayload(query, access, [application], payload);
});

const listStatement = defineStatement((query) => {
  const access = keyAccess(query, "APP:READ", ANY_RESOURCE);
  const page = pageOf(ownApplications(query, access, "APP:READ", sql.placeholder("last")));
  const application = applicationsIn(query, page);
  const data = query
    .select({
      data: jsonArray(jsonObject(itemMembers(application)), desc(application.createdAt), desc(application.id)),
    })
    .from(application);
  const all = ownApplications(query, access, "APP:READ", PAGE.maxTotal);
  return selectPayload(query, access, [], pagePayload(query, data, all, access).as("payload"));
});

export const applicationOperations: Operations<typeof contract> = {
  listApplicationsV3: {
    statement: listStatement,
    values: ({ limit, offset }) => ({ last: limit + offset }),
    tags: (_ids, { companyId }) => ({ "application-list": [companyId] }),
    tagsIn: ({ data }) => ({ application: data.map(({ id }) => id) }),
  },
  getApplicationV3: { statement: getStatement, tags: ({ id }) => ({ application: [id] }) },
};
