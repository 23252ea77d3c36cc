-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "api_key_events_created_at_idx";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "api_key_events_created_at_idx" ON "api_key_events" USING btree ("created_at");--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "audit_log_api_key_id_id_idx";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "audit_log_api_key_id_id_idx" ON "audit_log" USING btree ("api_key_id","id");--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "audit_log_application_id_id_idx";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "audit_log_application_id_id_idx" ON "audit_log" USING btree ("application_id","id");--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "audit_log_request_id_idx";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "audit_log_request_id_idx" ON "audit_log" USING btree ("request_id");