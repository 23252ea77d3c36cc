CREATE TYPE "public"."api_key_permission" AS ENUM('APP:READ', 'APP:CREATE', 'APP:UPDATE', 'APP:DELETE');--> statement-breakpoint
CREATE TYPE "public"."ingress_protocol" AS ENUM('http', 'grpc');--> statement-breakpoint
CREATE TYPE "public"."job_start_policy" AS ENUM('beforeDeployment', 'afterSuccessDeployment', 'afterFailedDeployment');--> statement-breakpoint
CREATE TYPE "public"."process_type" AS ENUM('web', 'worker', 'cron', 'job');--> statement-breakpoint
CREATE TABLE "api_key_capabilities" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"api_key_id" uuid NOT NULL,
	"company_id" uuid NOT NULL,
	"permission" "api_key_permission" NOT NULL,
	"resource_id" uuid,
	CONSTRAINT "api_key_capabilities_api_key_id_permission_resource_id_key" UNIQUE NULLS NOT DISTINCT("api_key_id","permission","resource_id")
);
--> statement-breakpoint
CREATE TABLE "api_key_tokens" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"api_key_id" uuid NOT NULL,
	"masked" text NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_key_tokens_hash_length" CHECK (octet_length("api_key_tokens"."hash") = 32),
	CONSTRAINT "api_key_tokens_masked_pattern" CHECK ("api_key_tokens"."masked" ~ '^svl_[0-9a-f]{4}…[0-9a-f]{4}$'),
	CONSTRAINT "api_key_tokens_expires_at_iso" CHECK ("api_key_tokens"."expires_at" >= '0001-01-01T00:00:00Z' and "api_key_tokens"."expires_at" < '10000-01-01T00:00:00Z')
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"company_id" uuid NOT NULL,
	"name" text NOT NULL,
	"is_enabled" boolean DEFAULT true NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_keys_id_company_id_key" UNIQUE("id","company_id"),
	CONSTRAINT "api_keys_id_uuid" CHECK ("api_keys"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$'),
	CONSTRAINT "api_keys_name_length" CHECK (char_length("api_keys"."name") between 1 and 255),
	CONSTRAINT "api_keys_expires_at_iso" CHECK ("api_keys"."expires_at" >= '0001-01-01T00:00:00Z' and "api_keys"."expires_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "api_keys_last_used_at_iso" CHECK ("api_keys"."last_used_at" >= '0001-01-01T00:00:00Z' and "api_keys"."last_used_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "api_keys_created_at_iso" CHECK ("api_keys"."created_at" >= '0001-01-01T00:00:00Z' and "api_keys"."created_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "api_keys_updated_at_iso" CHECK ("api_keys"."updated_at" >= '0001-01-01T00:00:00Z' and "api_keys"."updated_at" < '10000-01-01T00:00:00Z')
);
--> statement-breakpoint
CREATE TABLE "applications" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"company_id" uuid NOT NULL,
	"name" text NOT NULL,
	"display_name" text NOT NULL,
	"namespace" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "applications_company_id_name_key" UNIQUE("company_id","name"),
	CONSTRAINT "applications_id_company_id_key" UNIQUE("id","company_id"),
	CONSTRAINT "applications_id_uuid" CHECK ("applications"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$'),
	CONSTRAINT "applications_name_label" CHECK ("applications"."name" ~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'),
	CONSTRAINT "applications_display_name_length" CHECK (char_length("applications"."display_name") between 1 and 255),
	CONSTRAINT "applications_namespace_label" CHECK ("applications"."namespace" ~ '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'),
	CONSTRAINT "applications_updated_at_iso" CHECK ("applications"."updated_at" >= '0001-01-01T00:00:00Z' and "applications"."updated_at" < '10000-01-01T00:00:00Z')
);
--> statement-breakpoint
CREATE TABLE "companies" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "companies_name_length" CHECK (char_length("companies"."name") between 1 and 255)
);
--> statement-breakpoint
CREATE TABLE "process_resource_types" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"cpu_millicores" bigint NOT NULL,
	"memory_megabytes" bigint NOT NULL,
	"category" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "process_resource_types_name_key" UNIQUE("name"),
	CONSTRAINT "process_resource_types_id_uuid" CHECK ("process_resource_types"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$'),
	CONSTRAINT "process_resource_types_name_length" CHECK (char_length("process_resource_types"."name") between 1 and 255),
	CONSTRAINT "process_resource_types_cpu_millicores_range" CHECK ("process_resource_types"."cpu_millicores" between 1 and 9007199254740991),
	CONSTRAINT "process_resource_types_memory_megabytes_range" CHECK ("process_resource_types"."memory_megabytes" between 1 and 9007199254740991),
	CONSTRAINT "process_resource_types_category_length" CHECK (char_length("process_resource_types"."category") between 1 and 64),
	CONSTRAINT "process_resource_types_updated_at_iso" CHECK ("process_resource_types"."updated_at" >= '0001-01-01T00:00:00Z' and "process_resource_types"."updated_at" < '10000-01-01T00:00:00Z')
);
--> statement-breakpoint
CREATE TABLE "processes" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"application_id" uuid NOT NULL,
	"key" text NOT NULL,
	"type" "process_type",
	"display_name" text,
	"entrypoint" text NOT NULL,
	"port" integer,
	"is_ingress_enabled" boolean DEFAULT false NOT NULL,
	"ingress_protocol" "ingress_protocol",
	"scaling_strategy" jsonb,
	"resource_type_id" uuid,
	"schedule" text,
	"time_zone" text,
	"job_start_policy" "job_start_policy",
	"liveness_probe" jsonb,
	"readiness_probe" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "processes_application_id_key_key" UNIQUE("application_id","key"),
	CONSTRAINT "processes_id_uuid" CHECK ("processes"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$'),
	CONSTRAINT "processes_key_length" CHECK (char_length("processes"."key") between 1 and 64),
	CONSTRAINT "processes_display_name_length" CHECK (char_length("processes"."display_name") between 1 and 255),
	CONSTRAINT "processes_entrypoint_length" CHECK (char_length("processes"."entrypoint") between 0 and 1024),
	CONSTRAINT "processes_port_range" CHECK ("processes"."port" between 1 and 65535),
	CONSTRAINT "processes_schedule_length" CHECK (char_length("processes"."schedule") between 0 and 100),
	CONSTRAINT "processes_time_zone_length" CHECK (char_length("processes"."time_zone") between 0 and 100),
	CONSTRAINT "processes_scaling_strategy_shape" CHECK ("processes"."scaling_strategy" is null or ("processes"."scaling_strategy" @@ 'strict (($.type() == "object" && exists($.keyvalue() ? (@.key == "type")) && exists($.keyvalue() ? (@.key == "config")) && !exists($.keyvalue() ? (!((@.key == "type" && (@.value.type() == "string" && (@.value == "manual"))) || (@.key == "config" && (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "instanceCount")) && !exists(@.value.keyvalue() ? (!((@.key == "instanceCount" && (@.value.type() == "number" && @.value >= 0 && @.value <= 50 && @.value.floor() == @.value))))))))))) || (($.type() == "object" && exists($.keyvalue() ? (@.key == "type")) && exists($.keyvalue() ? (@.key == "config")) && !exists($.keyvalue() ? (!((@.key == "type" && (@.value.type() == "string" && (@.value == "horizontal"))) || (@.key == "config" && (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "minInstanceCount")) && exists(@.value.keyvalue() ? (@.key == "maxInstanceCount")) && !exists(@.value.keyvalue() ? (!((@.key == "minInstanceCount" && (@.value.type() == "number" && @.value >= 0 && @.value <= 50 && @.value.floor() == @.value)) || (@.key == "maxInstanceCount" && (@.value.type() == "number" && @.value >= 0 && @.value <= 50 && @.value.floor() == @.value)) || (@.key == "targetCpuPercent" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 100 && @.value.floor() == @.value))) || (@.key == "targetMemoryPercent" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 100 && @.value.floor() == @.value))) || (@.key == "scaleUpIntervalSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 60000 && @.value.floor() == @.value))) || (@.key == "scaleUpIncrement" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 5 && @.value.floor() == @.value))) || (@.key == "scaleDownIntervalSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 60000 && @.value.floor() == @.value))) || (@.key == "scaleDownIncrement" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 5 && @.value.floor() == @.value)))))))))))) && $.config.minInstanceCount <= $.config.maxInstanceCount))') is true),
	CONSTRAINT "processes_liveness_probe_shape" CHECK ("processes"."liveness_probe" is null or ("processes"."liveness_probe" @@ 'strict ($.type() == "object" && !exists($.keyvalue() ? (!((@.key == "exec" && (@.value.type() == "null" || (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "command")) && !exists(@.value.keyvalue() ? (!((@.key == "command" && (@.value.type() == "array" && !exists(@.value[*] ? (!(@.type() == "string"))))))))))) || (@.key == "httpGet" && (@.value.type() == "null" || (@.value.type() == "object" && !exists(@.value.keyvalue() ? (!((@.key == "path" && (@.value.type() == "null" || @.value.type() == "string")) || (@.key == "port" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 65535 && @.value.floor() == @.value))) || (@.key == "host" && (@.value.type() == "null" || @.value.type() == "string")) || (@.key == "scheme" && (@.value.type() == "null" || (@.value.type() == "string" && (@.value == "HTTP" || @.value == "HTTPS")))) || (@.key == "httpHeaders" && (@.value.type() == "null" || (@.value.type() == "array" && !exists(@.value[*] ? (!((@.type() == "object" && exists(@.keyvalue() ? (@.key == "name")) && exists(@.keyvalue() ? (@.key == "value")) && !exists(@.keyvalue() ? (!((@.key == "name" && @.value.type() == "string") || (@.key == "value" && @.value.type() == "string"))))))))))))))))) || (@.key == "tcpSocket" && (@.value.type() == "null" || (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "port")) && !exists(@.value.keyvalue() ? (!((@.key == "port" && (@.value.type() == "number" && @.value >= 1 && @.value <= 65535 && @.value.floor() == @.value)) || (@.key == "host" && (@.value.type() == "null" || @.value.type() == "string")))))))) || (@.key == "initialDelaySeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 0 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "periodSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "timeoutSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "successThreshold" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "failureThreshold" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value)))))))') is true),
	CONSTRAINT "processes_readiness_probe_shape" CHECK ("processes"."readiness_probe" is null or ("processes"."readiness_probe" @@ 'strict ($.type() == "object" && !exists($.keyvalue() ? (!((@.key == "exec" && (@.value.type() == "null" || (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "command")) && !exists(@.value.keyvalue() ? (!((@.key == "command" && (@.value.type() == "array" && !exists(@.value[*] ? (!(@.type() == "string"))))))))))) || (@.key == "httpGet" && (@.value.type() == "null" || (@.value.type() == "object" && !exists(@.value.keyvalue() ? (!((@.key == "path" && (@.value.type() == "null" || @.value.type() == "string")) || (@.key == "port" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 65535 && @.value.floor() == @.value))) || (@.key == "host" && (@.value.type() == "null" || @.value.type() == "string")) || (@.key == "scheme" && (@.value.type() == "null" || (@.value.type() == "string" && (@.value == "HTTP" || @.value == "HTTPS")))) || (@.key == "httpHeaders" && (@.value.type() == "null" || (@.value.type() == "array" && !exists(@.value[*] ? (!((@.type() == "object" && exists(@.keyvalue() ? (@.key == "name")) && exists(@.keyvalue() ? (@.key == "value")) && !exists(@.keyvalue() ? (!((@.key == "name" && @.value.type() == "string") || (@.key == "value" && @.value.type() == "string"))))))))))))))))) || (@.key == "tcpSocket" && (@.value.type() == "null" || (@.value.type() == "object" && exists(@.value.keyvalue() ? (@.key == "port")) && !exists(@.value.keyvalue() ? (!((@.key == "port" && (@.value.type() == "number" && @.value >= 1 && @.value <= 65535 && @.value.floor() == @.value)) || (@.key == "host" && (@.value.type() == "null" || @.value.type() == "string")))))))) || (@.key == "initialDelaySeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 0 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "periodSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "timeoutSeconds" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "successThreshold" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value))) || (@.key == "failureThreshold" && (@.value.type() == "null" || (@.value.type() == "number" && @.value >= 1 && @.value <= 9007199254740991 && @.value.floor() == @.value)))))))') is true),
	CONSTRAINT "processes_created_at_iso" CHECK ("processes"."created_at" >= '0001-01-01T00:00:00Z' and "processes"."created_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "processes_updated_at_iso" CHECK ("processes"."updated_at" >= '0001-01-01T00:00:00Z' and "processes"."updated_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "processes_ingress_only_for_web" CHECK ("processes"."type" is not distinct from 'web' or (not "processes"."is_ingress_enabled" and "processes"."ingress_protocol" is null)),
	CONSTRAINT "processes_probes_only_for_web" CHECK ("processes"."type" is not distinct from 'web' or ("processes"."liveness_probe" is null and "processes"."readiness_probe" is null)),
	CONSTRAINT "processes_schedule_only_for_cron" CHECK ("processes"."type" is not distinct from 'cron' or ("processes"."schedule" is null and "processes"."time_zone" is null)),
	CONSTRAINT "processes_job_start_policy_only_for_job" CHECK ("processes"."type" is not distinct from 'job' or ("processes"."job_start_policy" is null))
);
--> statement-breakpoint
ALTER TABLE "api_key_capabilities" ADD CONSTRAINT "api_key_capabilities_api_key_fk" FOREIGN KEY ("api_key_id","company_id") REFERENCES "public"."api_keys"("id","company_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_key_capabilities" ADD CONSTRAINT "api_key_capabilities_application_fk" FOREIGN KEY ("resource_id","company_id") REFERENCES "public"."applications"("id","company_id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_key_tokens" ADD CONSTRAINT "api_key_tokens_api_key_id_api_keys_id_fk" FOREIGN KEY ("api_key_id") REFERENCES "public"."api_keys"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_company_id_companies_id_fk" FOREIGN KEY ("company_id") REFERENCES "public"."companies"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "applications" ADD CONSTRAINT "applications_company_id_companies_id_fk" FOREIGN KEY ("company_id") REFERENCES "public"."companies"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "processes" ADD CONSTRAINT "processes_application_id_applications_id_fk" FOREIGN KEY ("application_id") REFERENCES "public"."applications"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "processes" ADD CONSTRAINT "processes_resource_type_id_process_resource_types_id_fk" FOREIGN KEY ("resource_type_id") REFERENCES "public"."process_resource_types"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_key_capabilities_resource_id_idx" ON "api_key_capabilities" USING btree ("resource_id");--> statement-breakpoint
CREATE INDEX "api_key_tokens_api_key_id_idx" ON "api_key_tokens" USING btree ("api_key_id");--> statement-breakpoint
CREATE INDEX "api_keys_company_id_idx" ON "api_keys" USING btree ("company_id");--> statement-breakpoint
CREATE UNIQUE INDEX "processes_one_web_per_application" ON "processes" USING btree ("application_id") WHERE "processes"."type" = 'web';--> statement-breakpoint
CREATE INDEX "processes_application_id_created_at_id_idx" ON "processes" USING btree ("application_id","created_at","id");--> statement-breakpoint
CREATE INDEX "processes_resource_type_id_idx" ON "processes" USING btree ("resource_type_id");