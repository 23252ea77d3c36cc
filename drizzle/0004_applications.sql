CREATE TYPE "public"."api_key_source" AS ENUM('DASHBOARD', 'CLI', 'EXTERNAL', 'SUPPORT_MCP');--> statement-breakpoint
CREATE TYPE "public"."application_source" AS ENUM('privateGit', 'publicGit', 'dockerImage', 'app');--> statement-breakpoint
CREATE TYPE "public"."application_status" AS ENUM('deploymentInProgress', 'deploymentFailed', 'deploymentSuccess', 'deleting', 'appDeletionFailed', 'deploymentCancelled');--> statement-breakpoint
CREATE TYPE "public"."application_type" AS ENUM('app', 'previewApp');--> statement-breakpoint
CREATE TYPE "public"."build_type" AS ENUM('dockerfile', 'pack', 'nixpacks');--> statement-breakpoint
CREATE TYPE "public"."git_type" AS ENUM('github', 'bitbucket', 'gitlab');--> statement-breakpoint
CREATE TYPE "public"."resource_type_category" AS ENUM('hobby', 'standard', 'cpuOptimized', 'memoryOptimized');--> statement-breakpoint
ALTER TYPE "public"."change_kind" ADD VALUE 'application-list' BEFORE 'application';--> statement-breakpoint
ALTER TABLE "api_key_tokens" DROP CONSTRAINT "api_key_tokens_masked_pattern";--> statement-breakpoint
UPDATE "api_key_tokens" SET "masked" = left("masked", 6) || '…' || right("masked", 4);--> statement-breakpoint
ALTER TABLE "process_resource_types" DROP CONSTRAINT "process_resource_types_category_length";--> statement-breakpoint
DROP INDEX "processes_application_id_created_at_id_idx";--> statement-breakpoint
ALTER TABLE "process_resource_types" ALTER COLUMN "category" SET DATA TYPE "public"."resource_type_category" USING "category"::"public"."resource_type_category";--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "source" "api_key_source" DEFAULT 'EXTERNAL' NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "status" "application_status";--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "type" "application_type" DEFAULT 'app' NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "source" "application_source" DEFAULT 'app' NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "is_suspended" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "project_id" uuid;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "cluster_id" uuid;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "docker_registry_credential_id" uuid;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "created_by" uuid;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "git_type" "git_type";--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "repo_url" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "default_branch" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "docker_image" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "auto_deploy" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "allow_deploy_paths" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "ignore_deploy_paths" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "build_type" "build_type" DEFAULT 'nixpacks' NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "build_path" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "is_build_cache_enabled" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "pack_builder" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "buildpacks" jsonb DEFAULT '[]'::jsonb NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "nixpacks_version" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "dockerfile_path" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "docker_context" text;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "is_hibernation_enabled" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "applications" ADD COLUMN "hibernate_after_seconds" integer;--> statement-breakpoint
ALTER TABLE "processes" ADD COLUMN "display_order" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "applications_company_id_created_at_id_idx" ON "applications" USING btree ("company_id","created_at","id");--> statement-breakpoint
CREATE INDEX "processes_application_id_display_order_created_at_id_idx" ON "processes" USING btree ("application_id","display_order","created_at","id");--> statement-breakpoint
ALTER TABLE "api_key_tokens" ADD CONSTRAINT "api_key_tokens_masked_pattern" CHECK ("api_key_tokens"."masked" ~ '^svl_[0-9a-f]{2}…[0-9a-f]{4}$');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_project_id_uuid" CHECK ("applications"."project_id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_cluster_id_uuid" CHECK ("applications"."cluster_id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_docker_registry_credential_id_uuid" CHECK ("applications"."docker_registry_credential_id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_created_by_uuid" CHECK ("applications"."created_by"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_git_only_with_git_source" CHECK ("applications"."source" in ('privateGit', 'publicGit') or ("applications"."git_type" is null and "applications"."repo_url" is null and "applications"."default_branch" is null));--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_docker_image_only_with_its_source" CHECK ("applications"."source" = 'dockerImage' or "applications"."docker_image" is null);--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_allow_deploy_paths_shape" CHECK (("applications"."allow_deploy_paths" @@ 'strict ($.type() == "array" && !exists($[*] ? (!(@.type() == "string"))))') is true);--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_ignore_deploy_paths_shape" CHECK (("applications"."ignore_deploy_paths" @@ 'strict ($.type() == "array" && !exists($[*] ? (!(@.type() == "string"))))') is true);--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_deploy_paths_exclusive" CHECK ("applications"."allow_deploy_paths" = '[]' or "applications"."ignore_deploy_paths" = '[]');--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_buildpacks_shape" CHECK (("applications"."buildpacks" @@ 'strict ($.type() == "array" && !exists($[*] ? (!((@.type() == "object" && exists(@.keyvalue() ? (@.key == "id")) && exists(@.keyvalue() ? (@.key == "source")) && exists(@.keyvalue() ? (@.key == "order")) && !exists(@.keyvalue() ? (!((@.key == "id" && @.value.type() == "string") || (@.key == "source" && @.value.type() == "string") || (@.key == "order" && (@.value.type() == "number" && @.value >= 0 && @.value <= 9007199254740991 && @.value.floor() == @.value))))))))))') is true);--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_hibernate_after_seconds_range" CHECK ("applications"."hibernate_after_seconds" between 1 and 2147483647);--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_created_at_iso" CHECK ("applications"."created_at" >= '0001-01-01T00:00:00Z' and "applications"."created_at" < '10000-01-01T00:00:00Z');