CREATE OR REPLACE FUNCTION public.record_application_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)), record_application_lists(array_agg(company_id)) FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)), record_application_lists(array_agg(company_id)) FROM old_rows;
	ELSE
		-- Both: what moves is gone from where it was.
		PERFORM record_applications(array_agg(id), array_agg(company_id)) FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed;
		-- What decides which list an application is in, and where.
		PERFORM record_application_lists(array_agg(company_id)) FROM (
			(SELECT id, company_id, created_at FROM old_rows EXCEPT SELECT id, company_id, created_at FROM new_rows)
			UNION ALL
			(SELECT id, company_id, created_at FROM new_rows EXCEPT SELECT id, company_id, created_at FROM old_rows)
		) AS moved;
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER applications_record_delete AFTER DELETE ON public.applications REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_application_changes(); -- ENABLE ALWAYS

CREATE TRIGGER applications_record_insert AFTER INSERT ON public.applications REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_application_changes(); -- ENABLE ALWAYS

CREATE TRIGGER applications_record_update AFTER UPDATE ON public.applications REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_application_changes(); -- ENABLE ALWAYS
