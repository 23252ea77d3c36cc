CREATE OR REPLACE FUNCTION public.record_processes(kind change_kind, ids uuid[], application_ids uuid[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'public', 'pg_temp'
AS $function$
	INSERT INTO changes (kind, resource_id, application_id, company_id)
	SELECT DISTINCT record_processes.kind, changed.id, application.id, application.company_id
	FROM unnest(ids, application_ids) AS changed (id, application_id)
	JOIN applications application ON application.id = changed.application_id;
$function$;
