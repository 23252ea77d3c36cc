CREATE OR REPLACE FUNCTION public.record_key_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM record_keys(array_agg(id), array_agg(company_id)) FROM old_rows;
	ELSE
		PERFORM record_keys(array_agg(id), array_agg(company_id)) FROM (
			SELECT id, company_id, to_jsonb(old_rows) - 'last_used_at' FROM old_rows
			EXCEPT
			SELECT id, company_id, to_jsonb(new_rows) - 'last_used_at' FROM new_rows
		) AS changed;
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER api_keys_record_delete AFTER DELETE ON public.api_keys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_key_changes(); -- ENABLE ALWAYS

CREATE TRIGGER api_keys_record_update AFTER UPDATE ON public.api_keys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_key_changes(); -- ENABLE ALWAYS
