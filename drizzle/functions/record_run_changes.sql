CREATE OR REPLACE FUNCTION public.record_run_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE TRIGGER process_runs_record_delete AFTER DELETE ON public.process_runs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_run_changes(); -- ENABLE ALWAYS

CREATE TRIGGER process_runs_record_insert AFTER INSERT ON public.process_runs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_run_changes(); -- ENABLE ALWAYS

CREATE TRIGGER process_runs_record_update AFTER UPDATE ON public.process_runs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_run_changes(); -- ENABLE ALWAYS
