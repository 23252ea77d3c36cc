-- One of so many applications may have moved before this commits: then it is not enough to purge the company that it was in.
CREATE OR REPLACE FUNCTION "record_applications"(ids uuid[], company_ids uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF cardinality(ids) > max_changes() THEN
		INSERT INTO changes (kind) VALUES ('everything');
	ELSE
		INSERT INTO changes (kind, resource_id, application_id, company_id)
		SELECT DISTINCT 'application'::change_kind, id, id, company_id FROM unnest(ids, company_ids) AS changed (id, company_id);
	END IF;
END
$$;
