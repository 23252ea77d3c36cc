-- A moment that never comes would be believed for ever.
UPDATE "feed" SET "leased_until" = NULL WHERE NOT isfinite("leased_until");--> statement-breakpoint
UPDATE "feed" SET "healthy_at" = NULL WHERE NOT isfinite("healthy_at");--> statement-breakpoint
ALTER TABLE "feed" ADD CONSTRAINT "feed_leased_until_finite" CHECK (isfinite("feed"."leased_until"));--> statement-breakpoint
ALTER TABLE "feed" ADD CONSTRAINT "feed_healthy_at_finite" CHECK (isfinite("feed"."healthy_at"));--> statement-breakpoint
-- Only what a trigger runs has its owner's rights: nobody can call that. What it calls has no more rights than its caller.
ALTER FUNCTION "record_company_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_application_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_process_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_key_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_token_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_capability_changes"() SECURITY DEFINER;--> statement-breakpoint
ALTER FUNCTION "record_companies"(uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_applications"(uuid[], uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_application_lists"(uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_processes"(change_kind, uuid[], uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_applications_of_processes"(uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_keys"(uuid[], uuid[]) SECURITY INVOKER;--> statement-breakpoint
ALTER FUNCTION "record_keys_of"(uuid[]) SECURITY INVOKER;--> statement-breakpoint
-- Postgres lets everybody execute a function that is new, and so make a trigger of it on a table of their own.
REVOKE EXECUTE ON FUNCTION
	"record_company_changes"(),
	"record_application_changes"(),
	"record_process_changes"(),
	"record_key_changes"(),
	"record_token_changes"(),
	"record_capability_changes"(),
	"record_resource_type_changes"(),
	"record_run_changes"(),
	"record_truncate"(),
	"record_companies"(uuid[]),
	"record_applications"(uuid[], uuid[]),
	"record_application_lists"(uuid[]),
	"record_processes"(change_kind, uuid[], uuid[]),
	"record_applications_of_processes"(uuid[]),
	"record_keys"(uuid[], uuid[]),
	"record_keys_of"(uuid[]),
	"max_changes"(),
	"set_updated_at"()
	FROM PUBLIC;--> statement-breakpoint
-- Also for who writes with session_replication_role = replica. The triggers of updated_at stay as they are: a restore keeps its times.
DO $$
DECLARE
	recording record;
BEGIN
	FOR recording IN
		SELECT tgrelid::regclass AS of_table, tgname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
		WHERE proname LIKE 'record\_%' AND pronamespace = 'public'::regnamespace
	LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', recording.of_table, recording.tgname);
	END LOOP;
END
$$;
