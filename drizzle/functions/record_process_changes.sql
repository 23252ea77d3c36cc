CREATE OR REPLACE FUNCTION public.record_process_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF (SELECT count(*) FROM new_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(SELECT DISTINCT application_id FROM new_rows));
			RETURN NULL;
		END IF;
		-- For as long as one was not there, that may be cached, too.
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)),
			record_processes('process-list', array_agg(application_id), array_agg(application_id))
		FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		IF (SELECT count(*) FROM old_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(SELECT DISTINCT application_id FROM old_rows));
			RETURN NULL;
		END IF;
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)),
			record_processes('process-list', array_agg(application_id), array_agg(application_id))
		FROM old_rows;
	ELSE
		IF (SELECT count(*) FROM new_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(
				SELECT application_id FROM old_rows UNION SELECT application_id FROM new_rows
			));
			RETURN NULL;
		END IF;
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)) FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed;
		-- What decides which list a process is in, and where.
		PERFORM record_processes('process-list', array_agg(application_id), array_agg(application_id)) FROM (
			(SELECT id, application_id, display_order, created_at FROM old_rows EXCEPT SELECT id, application_id, display_order, created_at FROM new_rows)
			UNION ALL
			(SELECT id, application_id, display_order, created_at FROM new_rows EXCEPT SELECT id, application_id, display_order, created_at FROM old_rows)
		) AS moved;
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER processes_record_delete AFTER DELETE ON public.processes REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_process_changes(); -- ENABLE ALWAYS

CREATE TRIGGER processes_record_insert AFTER INSERT ON public.processes REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_process_changes(); -- ENABLE ALWAYS

CREATE TRIGGER processes_record_update AFTER UPDATE ON public.processes REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_process_changes(); -- ENABLE ALWAYS
