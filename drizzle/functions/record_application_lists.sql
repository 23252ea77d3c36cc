CREATE OR REPLACE FUNCTION public.record_application_lists(company_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF cardinality(company_ids) <= max_changes() THEN
		INSERT INTO changes (kind, resource_id, company_id)
		SELECT DISTINCT 'application-list'::change_kind, id, id FROM unnest(company_ids) AS id;
	END IF;
END
$function$;
