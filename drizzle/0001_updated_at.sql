-- Last-Modified and If-Modified-Since rest on updated_at, and rows are also written by hand and by other services.
CREATE FUNCTION "set_updated_at"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	-- A writer that sets updated_at itself (a restore, an import) is believed.
	IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
		NEW.updated_at := now();
	END IF;
	RETURN NEW;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "companies_set_updated_at" BEFORE UPDATE ON "companies"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
--> statement-breakpoint
CREATE TRIGGER "applications_set_updated_at" BEFORE UPDATE ON "applications"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
--> statement-breakpoint
CREATE TRIGGER "process_resource_types_set_updated_at" BEFORE UPDATE ON "process_resource_types"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
--> statement-breakpoint
CREATE TRIGGER "processes_set_updated_at" BEFORE UPDATE ON "processes"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
--> statement-breakpoint
-- Not for last_used_at: being used is no change of the key.
CREATE TRIGGER "api_keys_set_updated_at" BEFORE UPDATE OF "name", "is_enabled", "expires_at" ON "api_keys"
	FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION "set_updated_at"();
