-- What the list of a process's runs depends on (0003_record_changes.sql has the rest).
-- Not in SQL: Postgres would look the new kind up at once, which it refuses in the transaction that adds it.
-- A process that is gone has recorded its own end, which covers the list of its runs.
CREATE FUNCTION "record_run_changes"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
	process_ids uuid[];
BEGIN
	IF TG_OP = 'INSERT' THEN
		process_ids := ARRAY(SELECT DISTINCT process_id FROM new_rows);
	ELSIF TG_OP = 'DELETE' THEN
		process_ids := ARRAY(SELECT DISTINCT process_id FROM old_rows);
	ELSE
		process_ids := ARRAY(SELECT DISTINCT process_id FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed);
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
--> statement-breakpoint
CREATE TRIGGER "process_runs_record_insert" AFTER INSERT ON "process_runs" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_run_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_runs_record_update" AFTER UPDATE ON "process_runs" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_run_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_runs_record_delete" AFTER DELETE ON "process_runs" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_run_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_runs_record_truncate" AFTER TRUNCATE ON "process_runs" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
