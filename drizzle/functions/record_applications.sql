CREATE OR REPLACE FUNCTION public.record_applications(ids uuid[], company_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF cardinality(ids) > max_changes() THEN
		INSERT INTO changes (kind) VALUES ('everything');
	ELSE
		INSERT INTO changes (kind, resource_id, application_id, company_id)
		SELECT DISTINCT 'application'::change_kind, id, id, company_id FROM unnest(ids, company_ids) AS changed (id, company_id);
	END IF;
END
$function$;
