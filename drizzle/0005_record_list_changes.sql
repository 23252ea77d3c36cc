-- What a list of applications depends on, and the order that processes are displayed in (0003_record_changes.sql has the rest).
-- Not in SQL: Postgres would look the new kind up at once, which it refuses in the transaction that adds it.
-- More than max_changes() applications have recorded their companies, which covers the lists.
CREATE FUNCTION "record_application_lists"(company_ids uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF cardinality(company_ids) <= max_changes() THEN
		INSERT INTO changes (kind, resource_id, company_id)
		SELECT DISTINCT 'application-list'::change_kind, id, id FROM unnest(company_ids) AS id;
	END IF;
END
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "record_application_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)), record_application_lists(array_agg(company_id)) FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)), record_application_lists(array_agg(company_id)) FROM old_rows;
	ELSE
		-- Both: what moves is gone from where it was.
		PERFORM record_applications(array_agg(id), array_agg(company_id)) FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed;
		-- What decides which list an application is in, and where.
		PERFORM record_application_lists(array_agg(company_id)) FROM (
			(SELECT id, company_id, created_at FROM old_rows EXCEPT SELECT id, company_id, created_at FROM new_rows)
			UNION ALL
			(SELECT id, company_id, created_at FROM new_rows EXCEPT SELECT id, company_id, created_at FROM old_rows)
		) AS moved;
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION "record_process_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF (SELECT count(*) FROM new_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(SELECT DISTINCT application_id FROM new_rows));
			RETURN NULL;
		END IF;
		-- For as long as one was not there, that may be cached, too.
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)),
			record_processes('process-list', array_agg(application_id), array_agg(application_id))
		FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		IF (SELECT count(*) FROM old_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(SELECT DISTINCT application_id FROM old_rows));
			RETURN NULL;
		END IF;
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)),
			record_processes('process-list', array_agg(application_id), array_agg(application_id))
		FROM old_rows;
	ELSE
		IF (SELECT count(*) FROM new_rows) > max_changes() THEN
			PERFORM record_applications_of_processes(ARRAY(
				SELECT application_id FROM old_rows UNION SELECT application_id FROM new_rows
			));
			RETURN NULL;
		END IF;
		PERFORM record_processes('process', array_agg(id), array_agg(application_id)) FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed;
		-- What decides which list a process is in, and where.
		PERFORM record_processes('process-list', array_agg(application_id), array_agg(application_id)) FROM (
			(SELECT id, application_id, display_order, created_at FROM old_rows EXCEPT SELECT id, application_id, display_order, created_at FROM new_rows)
			UNION ALL
			(SELECT id, application_id, display_order, created_at FROM new_rows EXCEPT SELECT id, application_id, display_order, created_at FROM old_rows)
		) AS moved;
	END IF;
	RETURN NULL;
END
$$;
