-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS "api_keys_company_id_created_at_id_idx";--> statement-breakpoint
CREATE INDEX CONCURRENTLY "api_keys_company_id_created_at_id_idx" ON "api_keys" USING btree ("company_id","created_at","id");--> statement-breakpoint
DROP INDEX CONCURRENTLY IF EXISTS "api_keys_company_id_idx";
