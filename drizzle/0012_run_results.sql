CREATE TYPE "public"."run_outcome" AS ENUM('succeeded', 'failed');--> statement-breakpoint
CREATE TYPE "public"."run_trigger" AS ENUM('scheduled', 'manual');--> statement-breakpoint
ALTER TABLE "process_runs" ADD COLUMN "trigger" "run_trigger" DEFAULT 'manual';--> statement-breakpoint
ALTER TABLE "process_runs" ADD COLUMN "retry_count" integer DEFAULT 0;--> statement-breakpoint
ALTER TABLE "process_runs" ADD COLUMN "outcome" "run_outcome";--> statement-breakpoint
ALTER TABLE "process_runs" ADD COLUMN "failure_reason" text;--> statement-breakpoint
ALTER TABLE "process_runs" ADD COLUMN "exit_code" integer;--> statement-breakpoint
CREATE INDEX "process_runs_requested_at_idx" ON "process_runs" USING btree ("requested_at");--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_result_once_finished" CHECK ("process_runs"."finished_at" is not null or ("process_runs"."outcome" is null and "process_runs"."exit_code" is null));--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_failure_reason_only_if_failed" CHECK ("process_runs"."outcome" is not distinct from 'failed' or ("process_runs"."failure_reason" is null));--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_failure_reason_length" CHECK (char_length("process_runs"."failure_reason") between 1 and 1024);--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_exit_code_range" CHECK ("process_runs"."exit_code" between 0 and 255);--> statement-breakpoint
ALTER TABLE "process_runs" ADD CONSTRAINT "process_runs_retry_count_range" CHECK ("process_runs"."retry_count" between 0 and 2147483647);--> statement-breakpoint
-- No response shows a run that has expired (RUN_DAYS in src/worker/shared/limits.ts; in hours, because days are longer or shorter where the clocks change), so its end needs no purge.
CREATE OR REPLACE FUNCTION "record_run_changes"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	process_ids uuid[];
	expired timestamptz := now() - interval '720 hours';
BEGIN
	IF TG_OP = 'INSERT' THEN
		process_ids := ARRAY(SELECT DISTINCT process_id FROM new_rows WHERE requested_at > expired);
	ELSIF TG_OP = 'DELETE' THEN
		process_ids := ARRAY(SELECT DISTINCT process_id FROM old_rows WHERE requested_at > expired);
	ELSE
		process_ids := ARRAY(SELECT DISTINCT process_id FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed WHERE requested_at > expired);
	END IF;
	IF cardinality(process_ids) > max_changes() THEN
		PERFORM record_applications_of_processes(ARRAY(SELECT DISTINCT application_id FROM processes WHERE id = ANY (process_ids)));
	ELSE
		INSERT INTO changes (kind, resource_id, application_id, company_id)
		SELECT 'run-list'::change_kind, process.id, application.id, application.company_id
		FROM processes process JOIN applications application ON application.id = process.application_id
		WHERE process.id = ANY (process_ids);
	END IF;
	RETURN NULL;
END
$$;
