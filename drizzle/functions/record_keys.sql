CREATE OR REPLACE FUNCTION public.record_keys(ids uuid[], company_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF cardinality(ids) > max_changes() THEN
		PERFORM record_companies(ARRAY(SELECT DISTINCT unnest(company_ids)));
	ELSE
		INSERT INTO changes (kind, resource_id, company_id)
		SELECT DISTINCT 'key'::change_kind, id, company_id FROM unnest(ids, company_ids) AS changed (id, company_id);
	END IF;
END
$function$;
