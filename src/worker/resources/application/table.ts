import { sql } from "drizzle-orm";
import { boolean, check, index, integer as int, jsonb, pgEnum, pgTable, text, unique, uuid } from "drizzle-orm/pg-core";
import {
  createdAt,
  hasLength,
  id,
  isBetween,
  isDnsLabel,
  isIsoMoment,
  isListOf,
  isUuid,
  MAX_SAFE_INTEGER,
  updatedAt,
} from "../../db/columns.ts";
import { integer, object, string } from "../../db/jsonpath.ts";
import { companies } from "../company/table.ts";

export const applicationStatus = pgEnum("application_status", [
  "deploymentInProgress",
  "deploymentFailed",
  "deploymentSuccess",
  "deleting",
  "appDeletionFailed",
  "deploymentCancelled",
]);
export const applicationType = pgEnum("application_type", ["app", "previewApp"]);
export const applicationSource = pgEnum("application_source", ["privateGit", "publicGit", "dockerImage", "app"]);
export const gitType = pgEnum("git_type", ["github", "bitbucket", "gitlab"]);
export const buildType = pgEnum("build_type", ["dockerfile", "pack", "nixpacks"]);

export const applications = pgTable(
  "applications",
  {
    id: id(),
    companyId: uuid("company_id")
      .notNull()
      .references(() => companies.id),
    name: text("name").notNull(),
    displayName: text("display_name").notNull(),
    namespace: text("namespace"),
    status: applicationStatus("status"),
    type: applicationType("type").notNull().default("app"),
    source: applicationSource("source").notNull().default("app"),
    isSuspended: boolean("is_suspended").notNull().default(false),
    projectId: uuid("project_id"),
    clusterId: uuid("cluster_id"),
    dockerRegistryCredentialId: uuid("docker_registry_credential_id"),
    createdBy: uuid("created_by"),
    gitType: gitType("git_type"),
    repoUrl: text("repo_url"),
    defaultBranch: text("default_branch"),
    dockerImage: text("docker_image"),
    autoDeploy: boolean("auto_deploy").notNull().default(false),
    allowDeployPaths: jsonb("allow_deploy_paths").notNull().default([]),
    ignoreDeployPaths: jsonb("ignore_deploy_paths").notNull().default([]),
    buildType: buildType("build_type").notNull().default("nixpacks"),
    buildPath: text("build_path"),
    isBuildCacheEnabled: boolean("is_build_cache_enabled").notNull().default(true),
    packBuilder: text("pack_builder"),
    buildpacks: jsonb("buildpacks").notNull().default([]),
    nixpacksVersion: text("nixpacks_version"),
    dockerfilePath: text("dockerfile_path"),
    dockerContext: text("docker_context"),
    isHibernationEnabled: boolean("is_hibernation_enabled").notNull().default(false),
    hibernateAfterSeconds: int("hibernate_after_seconds"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    unique("applications_company_id_name_key").on(table.companyId, table.name),
    unique("applications_id_company_id_key").on(table.id, table.companyId),
    index("applications_company_id_created_at_id_idx").on(table.companyId, table.createdAt, table.id),
    check("applications_id_uuid", isUuid(table.id)),
    check("applications_name_label", isDnsLabel(table.name)),
    check("applications_display_name_length", hasLength(table.displayName, 1, 255)),
    check("applications_namespace_label", isDnsLabel(table.namespace)),
    check("applications_project_id_uuid", isUuid(table.projectId)),
    check("applications_cluster_id_uuid", isUuid(table.clusterId)),
    check("applications_docker_registry_credential_id_uuid", isUuid(table.dockerRegistryCredentialId)),
    check("applications_created_by_uuid", isUuid(table.createdBy)),
    check(
      "applications_git_only_with_git_source",
      sql`${table.source} in ('privateGit', 'publicGit') or (${table.gitType} is null and ${table.repoUrl} is null and ${table.defaultBranch} is null)`,
    ),
    check(
      "applications_docker_image_only_with_its_source",
      sql`${table.source} = 'dockerImage' or ${table.dockerImage} is null`,
    ),
    check("applications_allow_deploy_paths_shape", isListOf(table.allowDeployPaths, string)),
    check("applications_ignore_deploy_paths_shape", isListOf(table.ignoreDeployPaths, string)),
    check(
      "applications_deploy_paths_exclusive",
      sql`${table.allowDeployPaths} = '[]' or ${table.ignoreDeployPaths} = '[]'`,
    ),
    check(
      "applications_buildpacks_shape",
      isListOf(table.buildpacks, object({ id: string, source: string, order: integer(0, MAX_SAFE_INTEGER) })),
    ),
    check("applications_hibernate_after_seconds_range", isBetween(table.hibernateAfterSeconds, 1, 2_147_483_647)),
    check("applications_created_at_iso", isIsoMoment(table.createdAt)),
    check("applications_updated_at_iso", isIsoMoment(table.updatedAt)),
  ],
);

/** What the Worker's role may do with it (src/cli/deploy/worker-role.ts): the update only to lock a row. */
export const RIGHTS = ["select, update (updated_at) on applications"];
