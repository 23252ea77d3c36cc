CREATE OR REPLACE FUNCTION public.max_changes()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$SELECT 1000$function$;
