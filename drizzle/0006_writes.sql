CREATE TYPE "public"."audited_operation" AS ENUM('create', 'update', 'delete', 'trigger');--> statement-breakpoint
ALTER TYPE "public"."change_kind" ADD VALUE 'run-list' BEFORE 'key';--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_log_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"api_key_id" uuid NOT NULL,
	"company_id" uuid NOT NULL,
	"application_id" uuid NOT NULL,
	"process_id" uuid NOT NULL,
	"operation" "audited_operation" NOT NULL,
	"before" jsonb,
	"after" jsonb,
	"request_id" uuid
);
--> statement-breakpoint
CREATE TABLE "idempotent_answers" (
	"api_key_id" uuid NOT NULL,
	"operation" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"body" text NOT NULL,
	"etag" text,
	"last_modified" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotent_answers_api_key_id_operation_key_pk" PRIMARY KEY("api_key_id","operation","key")
);
--> statement-breakpoint
CREATE TABLE "process_runs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"process_id" uuid NOT NULL,
	"requested_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"started_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	CONSTRAINT "process_runs_id_uuid" CHECK ("process_runs"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$'),
	CONSTRAINT "process_runs_requested_at_iso" CHECK ("process_runs"."requested_at" >= '0001-01-01T00:00:00Z' and "process_runs"."requested_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "process_runs_started_at_iso" CHECK ("process_runs"."started_at" >= '0001-01-01T00:00:00Z' and "process_runs"."started_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "process_runs_finished_at_iso" CHECK ("process_runs"."finished_at" >= '0001-01-01T00:00:00Z' and "process_runs"."finished_at" < '10000-01-01T00:00:00Z'),
	CONSTRAINT "process_runs_starts_once_requested" CHECK ("process_runs"."started_at" >= "process_runs"."requested_at"),
	CONSTRAINT "process_runs_finishes_once_started" CHECK ("process_runs"."finished_at" is null or ("process_runs"."finished_at" >= "process_runs"."started_at") is true)
);
--> statement-breakpoint
ALTER TABLE "idempotent_answers" ADD CONSTRAINT "idempotent_answers_api_key_id_api_keys_id_fk" FOREIGN KEY ("api_key_id") REFERENCES "public"."api_keys"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_process_id_processes_id_fk" FOREIGN KEY ("process_id") REFERENCES "public"."processes"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_log_process_id_id_idx" ON "audit_log" USING btree ("process_id","id");--> statement-breakpoint
CREATE INDEX "audit_log_created_at_idx" ON "audit_log" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "idempotent_answers_created_at_idx" ON "idempotent_answers" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "process_runs_process_id_requested_at_id_idx" ON "process_runs" USING btree ("process_id","requested_at","id");--> statement-breakpoint
CREATE INDEX "process_runs_waiting" ON "process_runs" USING btree ("requested_at") WHERE "process_runs"."started_at" is null;