CREATE TYPE "public"."change_kind" AS ENUM('company', 'application', 'process-list', 'process', 'key', 'resource-type-list', 'resource-type', 'everything');--> statement-breakpoint
CREATE TABLE "changes" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "changes_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"kind" "change_kind" NOT NULL,
	"resource_id" uuid,
	"application_id" uuid,
	"company_id" uuid,
	"changed_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "feed" (
	"is_only" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"holder" uuid,
	"leased_until" timestamp with time zone,
	"healthy_at" timestamp with time zone,
	CONSTRAINT "feed_is_only" CHECK ("feed"."is_only")
);
