CREATE OR REPLACE FUNCTION public.record_keys_of(key_ids uuid[])
 RETURNS void
 LANGUAGE sql
 SET search_path TO 'public', 'pg_temp'
AS $function$
	SELECT record_keys(array_agg(id), array_agg(company_id)) FROM api_keys WHERE id = ANY (key_ids);
$function$;
