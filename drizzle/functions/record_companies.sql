CREATE OR REPLACE FUNCTION public.record_companies(ids uuid[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'public', 'pg_temp'
AS $function$
	INSERT INTO changes (kind, resource_id, company_id)
	SELECT 'company'::change_kind, id, id FROM unnest(ids) AS id WHERE cardinality(ids) <= max_changes()
	UNION ALL
	SELECT 'everything', NULL, NULL WHERE cardinality(ids) > max_changes();
$function$;
