CREATE OR REPLACE FUNCTION public.record_company_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM record_companies(ARRAY(SELECT id FROM old_rows));
	ELSE
		PERFORM record_companies(ARRAY(SELECT id FROM (TABLE old_rows EXCEPT TABLE new_rows) AS changed));
	END IF;
	RETURN NULL;
END
$function$;

CREATE TRIGGER companies_record_delete AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_company_changes(); -- ENABLE ALWAYS

CREATE TRIGGER companies_record_update AFTER UPDATE ON public.companies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_company_changes(); -- ENABLE ALWAYS
