UPDATE "changes" SET "changed_at" = now() WHERE NOT isfinite("changed_at");--> statement-breakpoint
ALTER TABLE "changes" ADD COLUMN "xid" "xid8" DEFAULT pg_current_xact_id() NOT NULL;--> statement-breakpoint
ALTER TABLE "feed" ADD COLUMN "memory" jsonb DEFAULT '{"drained":"1:1:","purged":"1:1:","batches":[],"waitingSince":null,"polledAt":null,"isLost":false}'::jsonb NOT NULL;--> statement-breakpoint
CREATE INDEX "changes_xid_idx" ON "changes" USING btree ("xid");--> statement-breakpoint
ALTER TABLE "changes" ADD CONSTRAINT "changes_changed_at_finite" CHECK (isfinite("changes"."changed_at"));