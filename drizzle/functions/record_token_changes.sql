CREATE OR REPLACE FUNCTION public.record_token_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM record_keys_of(array_agg(DISTINCT api_key_id)) FROM old_rows;
	ELSE
		PERFORM record_keys_of(array_agg(DISTINCT api_key_id)) FROM (
			SELECT api_key_id, to_jsonb(old_rows) - 'last_used_at' FROM old_rows
			EXCEPT
			SELECT api_key_id, to_jsonb(new_rows) - 'last_used_at' FROM new_rows
		) AS changed;
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER api_key_tokens_record_delete AFTER DELETE ON public.api_key_tokens REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_token_changes(); -- ENABLE ALWAYS

CREATE TRIGGER api_key_tokens_record_update AFTER UPDATE ON public.api_key_tokens REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_token_changes(); -- ENABLE ALWAYS
