CREATE OR REPLACE FUNCTION public.delete_expired_key_events(days integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
	deleted integer;
BEGIN
	IF days < 30 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'Events of keys are kept for 30 days at least';
	END IF;
	DELETE FROM api_key_events WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM api_key_events WHERE created_at <= now() - days * interval '24 hours'
		ORDER BY created_at LIMIT 5000 FOR UPDATE SKIP LOCKED
	));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$function$;
