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
  null as "lastModified"
from
  "access"
  left join (
    select
      json_build_object(
        'data', (
          (
            select
              coalesce(
                json_agg(
                  json_build_object(
                    'id', "run"."id",
                    'process_id', "run"."process_id",
                    'trigger', coalesce("run"."trigger", 'manual'),
                    'due_at', to_char("run"."requested_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                    'started_at', to_char("run"."started_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                    'finished_at', to_char("run"."finished_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                    'outcome', "run"."outcome",
                    'failure_reason', "run"."failure_reason",
                    'exit_code', "run"."exit_code",
                    'retry_count', coalesce("run"."retry_count", 0)
                  )
                  order by
                    "run"."requested_at" desc,
                    "run"."id" desc
                ),
                '[]'
              )
            from
              (
                select
                  "process_runs"."id", "process_runs"."process_id", "process_runs"."requested_at", "process_runs"."started_at", "process_runs"."finished_at", "process_runs"."trigger", "process_runs"."retry_count", "process_runs"."outcome", "process_runs"."failure_reason", "process_runs"."exit_code"
                from
                  (
                    select
                      "id", "requested_at"
                    from
                      "process_runs"
                    where
                      (
                        "process_runs"."process_id" = (
                          select
                            "process"."id"
                          from
                            "process"
                          where
                            "process"."type" = 'cron'
                        )
                        and "process_runs"."requested_at" > now() - interval '720 hours'
                      )
                    order by
                      "process_runs"."requested_at" desc,
                      "process_runs"."id" desc
                    limit
                      $6
                    offset
                      $7
                  ) "listed"
                  inner join "process_runs" on "process_runs"."id" = "listed"."id"
              ) "run"
          )
        ),
        'total', (
          select
            count(*)
          from
            (
              select
                "id", "requested_at"
              from
                "process_runs"
              where
                (
                  "process_runs"."process_id" = (
                    select
                      "process"."id"
                    from
                      "process"
                    where
                      "process"."type" = 'cron'
                  )
                  and "process_runs"."requested_at" > now() - interval '720 hours'
                )
              order by
                "process_runs"."requested_at" desc,
                "process_runs"."id" desc
              limit
                $8
            ) as counted
        ),
        'offset', $9::int,
        'limit', $10::int
      ) as "json"
    from
      "process"
    limit
      $11
  ) "payload" on true;
