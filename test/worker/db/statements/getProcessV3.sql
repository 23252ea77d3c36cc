with
  "access" as (
    select
      "api_keys"."id", "api_keys"."company_id", "api_key_tokens"."hash",
      extract(
        epoch
        from
          least("api_keys"."expires_at", "api_key_tokens"."expires_at") - now()
      )::float8 as "seconds_left",
      exists (
        select
        from
          "api_key_capabilities"
        where
          (
            "api_key_capabilities"."api_key_id" = "api_keys"."id"
            and "api_key_capabilities"."permission" = $1
            and (
              "api_key_capabilities"."resource_id" is null
              or "api_key_capabilities"."resource_id" = $2
            )
          )
      ) as "is_permitted",
      (
        "api_key_tokens"."last_used_at" is null
        or "api_key_tokens"."last_used_at" < now() - interval '1 minute'
      ) as "is_use_due",
      coalesce(
        (
          select
            healthy_at between now() - interval '2 minutes' and now() + interval '1 minute'
          from
            "feed"
        ),
        false
      ) as "is_feed_healthy",
      coalesce(
        (
          select
            not (healthy_at between now() - interval '2 minutes' and now() + interval '1 minute')
          from
            "feed"
        ),
        false
      ) as "is_feed_silent"
    from
      "api_key_tokens"
      inner join "api_keys" on "api_keys"."id" = "api_key_tokens"."api_key_id"
    where
      (
        "api_key_tokens"."hash" = $3
        and "api_keys"."is_enabled"
        and (
          "api_key_tokens"."expires_at" is null
          or "api_key_tokens"."expires_at" > statement_timestamp()
        )
        and (
          "api_keys"."expires_at" is null
          or "api_keys"."expires_at" > statement_timestamp()
        )
      )
  ),
  "application" as (
    select
      "applications"."id", "applications"."company_id", "applications"."name", "applications"."display_name", "applications"."namespace", "applications"."status", "applications"."type", "applications"."source", "applications"."is_suspended", "applications"."project_id", "applications"."cluster_id", "applications"."docker_registry_credential_id", "applications"."created_by", "applications"."git_type", "applications"."repo_url", "applications"."default_branch", "applications"."docker_image", "applications"."auto_deploy", "applications"."allow_deploy_paths", "applications"."ignore_deploy_paths", "applications"."build_type", "applications"."build_path", "applications"."is_build_cache_enabled", "applications"."pack_builder", "applications"."buildpacks", "applications"."nixpacks_version", "applications"."dockerfile_path", "applications"."docker_context", "applications"."is_hibernation_enabled", "applications"."hibernate_after_seconds", "applications"."created_at", "applications"."updated_at"
    from
      "applications"
      inner join "access" on (
        "access"."company_id" = "applications"."company_id"
        and "is_permitted"
      )
    where
      "applications"."id" = $4
  ),
  "process" as (
    select
      "processes"."id", "processes"."application_id", "processes"."key", "processes"."type", "processes"."display_name", "processes"."display_order", "processes"."entrypoint", "processes"."port", "processes"."is_ingress_enabled", "processes"."ingress_protocol", "processes"."scaling_strategy", "processes"."resource_type_id", "processes"."schedule", "processes"."time_zone", "processes"."job_start_policy", "processes"."liveness_probe", "processes"."readiness_probe", "processes"."created_at", "processes"."updated_at"
    from
      "processes"
      inner join "application" on "application"."id" = "processes"."application_id"
    where
      "processes"."id" = $5
  )
select
  "access"."id" as "keyId",
  "access"."company_id" as "companyId",
  "seconds_left" as "secondsLeft",
  "is_permitted" as "isPermitted",
  "is_use_due" as "isUseDue",
  "is_feed_healthy" as "isFeedHealthy",
  "is_feed_silent" as "isFeedSilent",
  "json"::text as "body",
  encode(substring(sha256(convert_to("json"::text, 'UTF8')) for 16), 'hex') as "etag",
  to_char("last_modified" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastModified"
from
  "access"
  left join (
    select
      json_build_object(
        'id', "process"."id",
        'app_id', "process"."application_id",
        'key', "process"."key",
        'type', "process"."type",
        'display_name', "process"."display_name",
        'entrypoint', "process"."entrypoint",
        'port', "process"."port",
        'is_ingress_enabled', "process"."is_ingress_enabled",
        'ingress_protocol', "process"."ingress_protocol",
        'scaling_strategy', "process"."scaling_strategy",
        'resource_type_id', "process"."resource_type_id",
        'resource_type_name', "process_resource_types"."name",
        'cpu_limit', "process_resource_types"."cpu_millicores",
        'memory_limit', "process_resource_types"."memory_megabytes",
        'schedule', "process"."schedule",
        'time_zone', "process"."time_zone",
        'job_start_policy', "process"."job_start_policy",
        'liveness_probe', "process"."liveness_probe",
        'readiness_probe', "process"."readiness_probe",
        'internal_hostname', "application"."name" || '-' || "process"."key" || '.' || "application"."namespace" || '.svc.cluster.local',
        'created_at', to_char("process"."created_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'updated_at', to_char("process"."updated_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      ) as "json",
      greatest("process"."updated_at", "application"."updated_at", "process_resource_types"."updated_at") as "last_modified"
    from
      "application"
      inner join "process" on true
      left join "process_resource_types" on "process_resource_types"."id" = "process"."resource_type_id"
    limit
      $6
  ) "payload" on true;
