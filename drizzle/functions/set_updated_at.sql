CREATE OR REPLACE FUNCTION public.set_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
	-- A writer that sets updated_at itself (a restore, an import) is believed.
	IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
		NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at + interval '1 millisecond');
	END IF;
	RETURN NEW;
END
$function$;

CREATE TRIGGER api_keys_set_updated_at BEFORE UPDATE OF name, is_enabled, expires_at ON public.api_keys FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION set_updated_at();

CREATE TRIGGER applications_set_updated_at BEFORE UPDATE ON public.applications FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION set_updated_at();

CREATE TRIGGER companies_set_updated_at BEFORE UPDATE ON public.companies FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION set_updated_at();

CREATE TRIGGER process_resource_types_set_updated_at BEFORE UPDATE ON public.process_resource_types FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION set_updated_at();

CREATE TRIGGER processes_set_updated_at BEFORE UPDATE ON public.processes FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION set_updated_at();
