CREATE OR REPLACE FUNCTION public.record_capability_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM record_keys_of(array_agg(DISTINCT api_key_id)) FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM record_keys_of(array_agg(DISTINCT api_key_id)) FROM old_rows;
	ELSE
		PERFORM record_keys_of(array_agg(DISTINCT api_key_id)) FROM (TABLE old_rows UNION TABLE new_rows) AS changed;
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER api_key_capabilities_record_delete AFTER DELETE ON public.api_key_capabilities REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_capability_changes(); -- ENABLE ALWAYS

CREATE TRIGGER api_key_capabilities_record_insert AFTER INSERT ON public.api_key_capabilities REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_capability_changes(); -- ENABLE ALWAYS

CREATE TRIGGER api_key_capabilities_record_update AFTER UPDATE ON public.api_key_capabilities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_capability_changes(); -- ENABLE ALWAYS
