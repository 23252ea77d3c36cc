-- Whoever writes, what cached answers show is recorded in the writer's own transaction, by one trigger for each statement.
-- SECURITY DEFINER, because not every writer may write the outbox. A statement that touches more than max_changes() rows
-- records what they have in common instead: comparing them would slow the writer, and a purge has 100 tags.
INSERT INTO "feed" DEFAULT VALUES;
--> statement-breakpoint
CREATE FUNCTION "max_changes"() RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1000';
--> statement-breakpoint
CREATE FUNCTION "record_companies"(ids uuid[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO changes (kind, resource_id, company_id)
	SELECT 'company'::change_kind, id, id FROM unnest(ids) AS id WHERE cardinality(ids) <= max_changes()
	UNION ALL
	SELECT 'everything', NULL, NULL WHERE cardinality(ids) > max_changes();
$$;
--> statement-breakpoint
CREATE FUNCTION "record_applications"(ids uuid[], company_ids uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF cardinality(ids) > max_changes() THEN
		PERFORM record_companies(ARRAY(SELECT DISTINCT unnest(company_ids)));
	ELSE
		INSERT INTO changes (kind, resource_id, application_id, company_id)
		SELECT DISTINCT 'application'::change_kind, id, id, company_id FROM unnest(ids, company_ids) AS changed (id, company_id);
	END IF;
END
$$;
--> statement-breakpoint
-- An application that is gone has recorded its own end, which covers its processes.
CREATE FUNCTION "record_processes"(kind change_kind, ids uuid[], application_ids uuid[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	INSERT INTO changes (kind, resource_id, application_id, company_id)
	SELECT DISTINCT record_processes.kind, changed.id, application.id, application.company_id
	FROM unnest(ids, application_ids) AS changed (id, application_id)
	JOIN applications application ON application.id = changed.application_id;
$$;
--> statement-breakpoint
CREATE FUNCTION "record_applications_of_processes"(application_ids uuid[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT record_applications(array_agg(id), array_agg(company_id)) FROM applications WHERE id = ANY (application_ids);
$$;
--> statement-breakpoint
CREATE FUNCTION "record_keys"(ids uuid[], company_ids uuid[]) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF cardinality(ids) > max_changes() THEN
		PERFORM record_companies(ARRAY(SELECT DISTINCT unnest(company_ids)));
	ELSE
		INSERT INTO changes (kind, resource_id, company_id)
		SELECT DISTINCT 'key'::change_kind, id, company_id FROM unnest(ids, company_ids) AS changed (id, company_id);
	END IF;
END
$$;
--> statement-breakpoint
-- A key that is gone has recorded its own end.
CREATE FUNCTION "record_keys_of"(key_ids uuid[]) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
	SELECT record_keys(array_agg(id), array_agg(company_id)) FROM api_keys WHERE id = ANY (key_ids);
$$;
--> statement-breakpoint
CREATE FUNCTION "record_truncate"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO changes (kind) VALUES ('everything');
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "record_company_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM record_companies(ARRAY(SELECT id FROM old_rows));
	ELSE
		PERFORM record_companies(ARRAY(SELECT id FROM (TABLE old_rows EXCEPT TABLE new_rows) AS changed));
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "record_application_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)) FROM new_rows;
	ELSIF TG_OP = 'DELETE' THEN
		PERFORM record_applications(array_agg(id), array_agg(company_id)) FROM old_rows;
	ELSE
		-- Both: what moves is gone from where it was.
		PERFORM record_applications(array_agg(id), array_agg(company_id)) FROM (
			(TABLE old_rows EXCEPT TABLE new_rows) UNION ALL (TABLE new_rows EXCEPT TABLE old_rows)
		) AS changed;
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "record_process_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
			(SELECT id, application_id, created_at FROM old_rows EXCEPT SELECT id, application_id, created_at FROM new_rows)
			UNION ALL
			(SELECT id, application_id, created_at FROM new_rows EXCEPT SELECT id, application_id, created_at FROM old_rows)
		) AS moved;
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "record_resource_type_changes"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO changes (kind) SELECT 'resource-type-list' WHERE EXISTS (SELECT FROM new_rows);
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO changes (kind, resource_id) SELECT 'resource-type', id FROM old_rows;
	ELSE
		INSERT INTO changes (kind, resource_id)
		SELECT 'resource-type', id FROM (TABLE old_rows EXCEPT TABLE new_rows) AS changed;
	END IF;
	RETURN NULL;
END
$$;
--> statement-breakpoint
-- A refusal is never cached, so what is new to a key needs no purge. Being used is no change of it.
CREATE FUNCTION "record_key_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
$$;
--> statement-breakpoint
CREATE FUNCTION "record_token_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
$$;
--> statement-breakpoint
CREATE FUNCTION "record_capability_changes"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
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
$$;
--> statement-breakpoint
CREATE TRIGGER "companies_record_update" AFTER UPDATE ON "companies" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_company_changes"();
--> statement-breakpoint
CREATE TRIGGER "companies_record_delete" AFTER DELETE ON "companies" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_company_changes"();
--> statement-breakpoint
CREATE TRIGGER "companies_record_truncate" AFTER TRUNCATE ON "companies" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "applications_record_insert" AFTER INSERT ON "applications" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_application_changes"();
--> statement-breakpoint
CREATE TRIGGER "applications_record_update" AFTER UPDATE ON "applications" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_application_changes"();
--> statement-breakpoint
CREATE TRIGGER "applications_record_delete" AFTER DELETE ON "applications" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_application_changes"();
--> statement-breakpoint
CREATE TRIGGER "applications_record_truncate" AFTER TRUNCATE ON "applications" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "processes_record_insert" AFTER INSERT ON "processes" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_process_changes"();
--> statement-breakpoint
CREATE TRIGGER "processes_record_update" AFTER UPDATE ON "processes" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_process_changes"();
--> statement-breakpoint
CREATE TRIGGER "processes_record_delete" AFTER DELETE ON "processes" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_process_changes"();
--> statement-breakpoint
CREATE TRIGGER "processes_record_truncate" AFTER TRUNCATE ON "processes" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "process_resource_types_record_insert" AFTER INSERT ON "process_resource_types" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_resource_type_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_resource_types_record_update" AFTER UPDATE ON "process_resource_types" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_resource_type_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_resource_types_record_delete" AFTER DELETE ON "process_resource_types" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_resource_type_changes"();
--> statement-breakpoint
CREATE TRIGGER "process_resource_types_record_truncate" AFTER TRUNCATE ON "process_resource_types" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "api_keys_record_update" AFTER UPDATE ON "api_keys" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_key_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_keys_record_delete" AFTER DELETE ON "api_keys" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_key_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_keys_record_truncate" AFTER TRUNCATE ON "api_keys" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "api_key_tokens_record_update" AFTER UPDATE ON "api_key_tokens" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_token_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_key_tokens_record_delete" AFTER DELETE ON "api_key_tokens" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_token_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_key_tokens_record_truncate" AFTER TRUNCATE ON "api_key_tokens" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
--> statement-breakpoint
CREATE TRIGGER "api_key_capabilities_record_insert" AFTER INSERT ON "api_key_capabilities" REFERENCING NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_capability_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_key_capabilities_record_update" AFTER UPDATE ON "api_key_capabilities" REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_capability_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_key_capabilities_record_delete" AFTER DELETE ON "api_key_capabilities" REFERENCING OLD TABLE AS old_rows
	FOR EACH STATEMENT EXECUTE FUNCTION "record_capability_changes"();
--> statement-breakpoint
CREATE TRIGGER "api_key_capabilities_record_truncate" AFTER TRUNCATE ON "api_key_capabilities" FOR EACH STATEMENT EXECUTE FUNCTION "record_truncate"();
