-- The Worker's role may delete from neither table: whoever has its password could remove the traces of what he has done. These
-- functions delete for it what is older than so many days, one batch at a time, and nothing of the last 30. In hours, because days
-- are longer or shorter where the clocks change. What others hold is left: they may wait for what is deleted here.
-- A row has up to 128 KB, so a batch of this table ends before 5,000 rows where they have 2 MB.
CREATE FUNCTION "delete_expired_audit"(days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
$$;
--> statement-breakpoint
CREATE FUNCTION "delete_expired_key_events"(days integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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
$$;
--> statement-breakpoint
REVOKE EXECUTE ON FUNCTION "delete_expired_audit"(integer), "delete_expired_key_events"(integer) FROM PUBLIC;
