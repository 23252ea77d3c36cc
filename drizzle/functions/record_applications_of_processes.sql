CREATE OR REPLACE FUNCTION public.record_applications_of_processes(application_ids uuid[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'public', 'pg_temp'
AS $function$
	SELECT record_applications(array_agg(id), array_agg(company_id)) FROM applications WHERE id = ANY (application_ids);
$function$;
