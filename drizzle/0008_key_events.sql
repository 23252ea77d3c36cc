-- Being used is no change of a token: record_token_changes() (0003_record_changes.sql) passes over last_used_at already.
CREATE TYPE "public"."api_key_event" AS ENUM('issued', 'rotated', 'disabled', 'enabled', 'revoked');--> statement-breakpoint
CREATE TABLE "api_key_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "api_key_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"api_key_id" uuid NOT NULL,
	"company_id" uuid NOT NULL,
	"event" "api_key_event" NOT NULL,
	"made_by" text NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "api_key_tokens" ADD COLUMN "last_used_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "api_key_events_api_key_id_id_idx" ON "api_key_events" USING btree ("api_key_id","id");--> statement-breakpoint
ALTER TABLE "api_key_tokens" ADD CONSTRAINT "api_key_tokens_last_used_at_iso" CHECK ("api_key_tokens"."last_used_at" >= '0001-01-01T00:00:00Z' and "api_key_tokens"."last_used_at" < '10000-01-01T00:00:00Z');--> statement-breakpoint
ALTER TABLE "companies" ADD CONSTRAINT "companies_id_uuid" CHECK ("companies"."id"::text ~ '^([0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$');--> statement-breakpoint
-- Which of a key's tokens was used last, nobody has written down so far. This is when it was used at the latest.
UPDATE "api_key_tokens" SET "last_used_at" = "api_keys"."last_used_at" FROM "api_keys"
	WHERE "api_keys"."id" = "api_key_tokens"."api_key_id" AND "api_keys"."last_used_at" >= "api_key_tokens"."created_at";
