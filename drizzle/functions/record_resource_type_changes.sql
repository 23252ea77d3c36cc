CREATE OR REPLACE FUNCTION public.record_resource_type_changes()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
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
$function$;

CREATE TRIGGER process_resource_types_record_delete AFTER DELETE ON public.process_resource_types REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION record_resource_type_changes(); -- ENABLE ALWAYS

CREATE TRIGGER process_resource_types_record_insert AFTER INSERT ON public.process_resource_types REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_resource_type_changes(); -- ENABLE ALWAYS

CREATE TRIGGER process_resource_types_record_update AFTER UPDATE ON public.process_resource_types REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION record_resource_type_changes(); -- ENABLE ALWAYS
