-- now() is when the transaction began: whoever has waited for another one would set the time back, and Last-Modified with it.
CREATE OR REPLACE FUNCTION "set_updated_at"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	-- A writer that sets updated_at itself (a restore, an import) is believed.
	IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
		NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 millisecond');
	END IF;
	RETURN NEW;
END
$$;
