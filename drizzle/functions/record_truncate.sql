CREATE OR REPLACE FUNCTION public.record_truncate()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	INSERT INTO changes (kind) VALUES ('everything');
	RETURN NULL;
END
$function$;

CREATE TRIGGER api_key_capabilities_record_truncate AFTER TRUNCATE ON public.api_key_capabilities FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER api_key_tokens_record_truncate AFTER TRUNCATE ON public.api_key_tokens FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER api_keys_record_truncate AFTER TRUNCATE ON public.api_keys FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER applications_record_truncate AFTER TRUNCATE ON public.applications FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER companies_record_truncate AFTER TRUNCATE ON public.companies FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER process_resource_types_record_truncate AFTER TRUNCATE ON public.process_resource_types FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER process_runs_record_truncate AFTER TRUNCATE ON public.process_runs FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS

CREATE TRIGGER processes_record_truncate AFTER TRUNCATE ON public.processes FOR EACH STATEMENT EXECUTE FUNCTION record_truncate(); -- ENABLE ALWAYS
