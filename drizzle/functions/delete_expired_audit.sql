CREATE OR REPLACE FUNCTION public.delete_expired_audit(days integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
DECLARE
	deleted integer;
BEGIN
	IF days < 30 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'The audit log is kept for 30 days at least';
	END IF;
	DELETE FROM audit_log WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM audit_log WHERE ctid = ANY (ARRAY(
			SELECT place FROM (
				SELECT place, sum(bytes) OVER (ORDER BY created_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
				FROM (
					SELECT ctid AS place, created_at, coalesce(pg_column_size(before), 0) + coalesce(pg_column_size(after), 0) AS bytes
					FROM audit_log WHERE created_at <= now() - days * interval '24 hours' ORDER BY created_at LIMIT 5000
				) AS expired
			) AS oldest WHERE coalesce(bytes_before, 0) < 2000000
		)) FOR UPDATE SKIP LOCKED
	));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$function$;
