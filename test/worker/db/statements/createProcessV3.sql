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
              or "api_key_capabilities"."resource_id" = $2::uuid
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
      "applications"."id" = $4::uuid
    for no key update of
      "applications"
  ),
  "target" as (
    select
  ),
  "grants" as (
    select
    from
      "api_key_tokens"
      join "api_keys" on "api_keys"."id" = "api_key_tokens"."api_key_id"
      join "api_key_capabilities" on (
        "api_key_capabilities"."api_key_id" = "api_keys"."id"
        and "api_key_capabilities"."permission" = $5
        and (
          "api_key_capabilities"."resource_id" is null
          or "api_key_capabilities"."resource_id" = $6::uuid
        )
      )
    where
      "api_key_tokens"."hash" = $7
    for share
  )
select
  set_config('process_api.application', "application"."id"::text, true),
  (
    select
      count(*)
    from
      target
  ),
  (
    select
      count(*)
    from
      grants
  )
from
  "application";

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
              or "api_key_capabilities"."resource_id" = $2::uuid
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
      (
        "applications"."id" = $4::uuid
        and "applications"."id"::text = current_setting('process_api.application', true)
      )
  ),
  "earlier" as (
    select
      body,
      etag,
      last_modified,
      fingerprint = sha256(convert_to($5::text, 'UTF8')) as is_same
    from
      "idempotent_answers", "access"
    where
      api_key_id = "access"."id"
      and operation = $6::text
      and key = $7::text
      and created_at > now() - interval '24 hours'
  ),
  "visible" as (
    select
      "applications"."id", "applications"."company_id", "applications"."name", "applications"."display_name", "applications"."namespace", "applications"."status", "applications"."type", "applications"."source", "applications"."is_suspended", "applications"."project_id", "applications"."cluster_id", "applications"."docker_registry_credential_id", "applications"."created_by", "applications"."git_type", "applications"."repo_url", "applications"."default_branch", "applications"."docker_image", "applications"."auto_deploy", "applications"."allow_deploy_paths", "applications"."ignore_deploy_paths", "applications"."build_type", "applications"."build_path", "applications"."is_build_cache_enabled", "applications"."pack_builder", "applications"."buildpacks", "applications"."nixpacks_version", "applications"."dockerfile_path", "applications"."docker_context", "applications"."is_hibernation_enabled", "applications"."hibernate_after_seconds", "applications"."created_at", "applications"."updated_at"
    from
      "applications"
      inner join "access" on (
        "access"."company_id" = "applications"."company_id"
        and "is_permitted"
      )
    where
      "applications"."id" = $8::uuid
  ),
  "grants" as (
    select
    from
      "api_key_tokens"
      join "api_keys" on "api_keys"."id" = "api_key_tokens"."api_key_id"
      join "api_key_capabilities" on (
        "api_key_capabilities"."api_key_id" = "api_keys"."id"
        and "api_key_capabilities"."permission" = $9
        and (
          "api_key_capabilities"."resource_id" is null
          or "api_key_capabilities"."resource_id" = $10::uuid
        )
      )
    where
      "api_key_tokens"."hash" = $11
    for share
  ),
  "candidate" as (
    select
      candidate.*
    from
      "application",
      jsonb_populate_record(
        null::"processes",
        $12::jsonb || jsonb_build_object(
          'id', gen_random_uuid(),
          'application_id', "application"."id",
          'display_order', 0,
          'created_at', now(),
          'updated_at', now(),
          'key', coalesce(
            (
              with recursive
                probe (taken, free, n) as (
                  select
                    0,
                    null::int,
                    1
                  union all
                  select
                    next.taken,
                    next.free,
                    case
                      when next.free is null then 2 * next.taken
                      else (next.taken + next.free) / 2
                    end
                  from
                    probe,
                    lateral (
                      select
                        case
                          when 62 - char_length("application"."name") > char_length(
                            (
                              case n
                                when 1 then ''
                                else '-' || n
                              end
                            )
                          ) then rtrim(
                            left(
                              $13::text,
                              62 - char_length("application"."name") - char_length(
                                (
                                  case n
                                    when 1 then ''
                                    else '-' || n
                                  end
                                )
                              )
                            ),
                            '-'
                          ) || (
                            case n
                              when 1 then ''
                              else '-' || n
                            end
                          )
                        end as key
                    ) as tried,
                    lateral (
                      select
                        (
                          (
                            select
                              count(*)
                            from
                              "processes"
                            where
                              application_id = "application"."id"
                              and key = tried.key
                          ) > 0
                          or tried.key = 'web'
                          and $14::jsonb ->> 'type' <> 'web'
                        ) as is_taken
                      offset
                        0
                    ) as found,
                    lateral (
                      select
                        case
                          when is_taken then n
                          else probe.taken
                        end as taken,
                        case
                          when is_taken then probe.free
                          else n
                        end as free
                    ) as next
                  where
                    probe.free is null
                    and probe.taken < 1000000
                    or probe.free - probe.taken > 1
                )
              select
                case
                  when 62 - char_length("application"."name") > char_length(
                    (
                      case free
                        when 1 then ''
                        else '-' || free
                      end
                    )
                  ) then rtrim(
                    left(
                      $15::text,
                      62 - char_length("application"."name") - char_length(
                        (
                          case free
                            when 1 then ''
                            else '-' || free
                          end
                        )
                      )
                    ),
                    '-'
                  ) || (
                    case free
                      when 1 then ''
                      else '-' || free
                    end
                  )
                end
              from
                probe
              where
                free - taken = 1
            ),
            (
              select
                key
              from
                generate_series(
                  1,
                  (
                    select
                      count(*) + 2
                    from
                      "processes"
                    where
                      application_id = "application"."id"
                  )
                ) as n,
                lateral (
                  select
                    case
                      when 62 - char_length("application"."name") > char_length(
                        (
                          case n
                            when 1 then ''
                            else '-' || n
                          end
                        )
                      ) then rtrim(
                        left(
                          $16::text,
                          62 - char_length("application"."name") - char_length(
                            (
                              case n
                                when 1 then ''
                                else '-' || n
                              end
                            )
                          )
                        ),
                        '-'
                      ) || (
                        case n
                          when 1 then ''
                          else '-' || n
                        end
                      )
                    end as key
                ) as tried
              where
                key is not null
                and not (
                  (
                    select
                      count(*)
                    from
                      "processes"
                    where
                      application_id = "application"."id"
                      and key = tried.key
                  ) > 0
                  or tried.key = 'web'
                  and $17::jsonb ->> 'type' <> 'web'
                )
              order by
                n
              limit
                1
            )
          )
        )
      ) as candidate
  ),
  "list" as (
    select
      json_build_object(
        'data', (
          (
            select
              coalesce(
                json_agg(
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
                  )
                  order by
                    "process"."display_order", "process"."created_at", "process"."id"
                ),
                '[]'
              )
            from
              (
                select
                  "processes"."id", "processes"."application_id", "processes"."key", "processes"."type", "processes"."display_name", "processes"."display_order", "processes"."entrypoint", "processes"."port", "processes"."is_ingress_enabled", "processes"."ingress_protocol", "processes"."scaling_strategy", "processes"."resource_type_id", "processes"."schedule", "processes"."time_zone", "processes"."job_start_policy", "processes"."liveness_probe", "processes"."readiness_probe", "processes"."created_at", "processes"."updated_at"
                from
                  (
                    select
                      "id", "display_order", "created_at"
                    from
                      "processes"
                    where
                      "processes"."application_id" = (
                        select
                          "application"."id"
                        from
                          "application"
                      )
                    order by
                      "processes"."display_order", "processes"."created_at", "processes"."id"
                    limit
                      $18
                    offset
                      $19
                  ) "listed"
                  inner join "processes" on "processes"."id" = "listed"."id"
              ) "process"
              left join "process_resource_types" on "process_resource_types"."id" = "process"."resource_type_id"
          )
        ),
        'total', (
          select
            count(*)
          from
            (
              select
                "id", "display_order", "created_at"
              from
                "processes"
              where
                "processes"."application_id" = (
                  select
                    "application"."id"
                  from
                    "application"
                )
              order by
                "processes"."display_order", "processes"."created_at", "processes"."id"
              limit
                $20
            ) as counted
        ),
        'offset', $21::int,
        'limit', $22::int
      ) as "json"
    from
      "application"
    limit
      $23
  ),
  "answer" as (
    select
      body,
      last_modified,
      case
        when last_modified is not null then encode(substring(sha256(convert_to(body, 'UTF8')) for 16), 'hex')
      end as etag
    from
      (
        select
          json_build_object(
            'id', "candidate"."id",
            'app_id', "candidate"."application_id",
            'key', "candidate"."key",
            'type', "candidate"."type",
            'display_name', "candidate"."display_name",
            'entrypoint', "candidate"."entrypoint",
            'port', "candidate"."port",
            'is_ingress_enabled', "candidate"."is_ingress_enabled",
            'ingress_protocol', "candidate"."ingress_protocol",
            'scaling_strategy', "candidate"."scaling_strategy",
            'resource_type_id', "candidate"."resource_type_id",
            'resource_type_name', "process_resource_types"."name",
            'cpu_limit', "process_resource_types"."cpu_millicores",
            'memory_limit', "process_resource_types"."memory_megabytes",
            'schedule', "candidate"."schedule",
            'time_zone', "candidate"."time_zone",
            'job_start_policy', "candidate"."job_start_policy",
            'liveness_probe', "candidate"."liveness_probe",
            'readiness_probe', "candidate"."readiness_probe",
            'internal_hostname', "application"."name" || '-' || "candidate"."key" || '.' || "application"."namespace" || '.svc.cluster.local',
            'created_at', to_char("candidate"."created_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'updated_at', to_char("candidate"."updated_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
          )::text as "body",
          greatest("candidate"."updated_at", "application"."updated_at", "process_resource_types"."updated_at") as "last_modified"
        from
          "candidate"
          inner join "application" on true
          left join "process_resource_types" on "process_resource_types"."id" = "candidate"."resource_type_id"
      ) as answer
  ),
  "audit" as (
    select
      "candidate"."id" as process_id,
      null::jsonb as before,
      answer.body::jsonb::jsonb as after
    from
      answer,
      "candidate"
  ),
  "today" as (
    select
      bytes
    from
      "api_key_writes", "access"
    where
      api_key_id = "access"."id"
      and day = (statement_timestamp() at time zone 'UTC')::date
  ),
  "verdict" as (
    select
      coalesce(
        (
          select
            is_same
          from
            earlier
        ),
        false
      ) as is_replay,
      case
        when exists (
          select
          from
            earlier
        ) then (
          select
            'idempotency_key_reused'
          from
            earlier
          where
            not is_same
        )
        when exists (
          select
          from
            visible
        )
        and not exists (
          select
          from
            application
        ) then 'overtaken'
        when not exists (
          select
          from
            "application"
        ) then 'absent'
        when (false)
        and not exists (
          select
          from
            "api_key_capabilities"
          where
            (
              "api_key_capabilities"."api_key_id" = (
                select
                  "access"."id"
                from
                  "access"
              )
              and "api_key_capabilities"."permission" = $24
              and (
                "api_key_capabilities"."resource_id" is null
                or "api_key_capabilities"."resource_id" = $25::uuid
              )
            )
        ) then 'unreadable'
        when case
          when $26::text[] is not null then not (
            (
              select
                encode(substring(sha256(convert_to(list.json::text, 'UTF8')) for 16), 'hex')
              from
                list
            ) is not null
            and array[
              '*',
              '"' || (
                select
                  encode(substring(sha256(convert_to(list.json::text, 'UTF8')) for 16), 'hex')
                from
                  list
              ) || '"'
            ] && $27::text[]
          )
          else false
        end
        or (
          $28::text[] is not null
          and (
            (
              select
                encode(substring(sha256(convert_to(list.json::text, 'UTF8')) for 16), 'hex')
              from
                list
            ) is not null
            and array[
              '*',
              '"' || (
                select
                  encode(substring(sha256(convert_to(list.json::text, 'UTF8')) for 16), 'hex')
                from
                  list
              ) || '"'
            ] && $29::text[]
          )
        ) then 'changed'
        when exists (
          select
          from
            candidate
          where
            resource_type_id is not null
            and not exists (
              select
              from
                "process_resource_types" as size
              where
                size.id = candidate.resource_type_id
            )
        ) then 'unknown_resource_type'
        when exists (
          select
          from
            "processes" as other
          where
            other.type = 'web'
            and other.application_id = (
              select
                application_id
              from
                candidate
              where
                type = 'web'
            )
        ) then 'second_web_process'
        when exists (
          select
          from
            candidate
          where
            key is null
        ) then 'no_room_for_key'
        when not $30::boolean
        and exists (
          select
          from
            today
          where
            bytes >= $31::bigint
        ) then 'write_quota_reached'
      end as refusal
  ),
  "written" as (
    select
    from
      verdict
    where
      refusal is null
      and not is_replay
      and not $32::boolean
      and case
        when exists (
          select
          from
            application
        ) then exists (
          select
          from
            grants
        )
        else true
      end
  ),
  "counted" as (
    insert into
      "api_key_writes" as known (api_key_id, day, bytes)
    select
      "access"."id",
      (statement_timestamp() at time zone 'UTC')::date,
      sum(left_behind.bytes)
    from
      written,
      "access",
      (
        select
          2 * 600 + octet_length(body) + coalesce(octet_length(before::text), 0) + coalesce(octet_length(after::text), 0) as bytes
        from
          audit,
          answer
        union all
        select
          600 + octet_length(body)
        from
          answer
        where
          $33::text is not null
      ) as left_behind
    group by
      "access"."id"
    on conflict (api_key_id) do update
    set
      day = excluded.day,
      bytes = excluded.bytes + case known.day
        when excluded.day then known.bytes
        else 0
      end
  ),
  "created" as (
    insert into
      "processes" (
        "id", "application_id", "key", "type", "display_name", "display_order", "entrypoint", "port", "is_ingress_enabled", "ingress_protocol", "scaling_strategy", "resource_type_id", "schedule", "time_zone", "job_start_policy", "liveness_probe", "readiness_probe", "created_at", "updated_at"
      )
    select
      "candidate"."id", "candidate"."application_id", "candidate"."key", "candidate"."type", "candidate"."display_name", "candidate"."display_order", "candidate"."entrypoint", "candidate"."port", "candidate"."is_ingress_enabled", "candidate"."ingress_protocol", "candidate"."scaling_strategy", "candidate"."resource_type_id", "candidate"."schedule", "candidate"."time_zone", "candidate"."job_start_policy", "candidate"."liveness_probe", "candidate"."readiness_probe", "candidate"."created_at", "candidate"."updated_at"
    from
      "candidate",
      written
  ),
  "audited" as (
    insert into
      "audit_log" (api_key_id, company_id, application_id, process_id, operation, before, after, request_id)
    select
      "access"."id", "access"."company_id", "application"."id",
      process_id,
      $34::audited_operation,
      before,
      after,
      $35::uuid
    from
      written,
      "access", "application",
      audit
    returning
      id
  ),
  "kept" as (
    insert into
      "idempotent_answers" (api_key_id, operation, key, fingerprint, body, etag, last_modified)
    select
      "access"."id",
      $36::text,
      $37::text,
      sha256(convert_to($38::text, 'UTF8')),
      body,
      etag,
      last_modified
    from
      written,
      "access",
      answer
    where
      $39::text is not null
    on conflict (api_key_id, operation, key) do update
    set
      fingerprint = excluded.fingerprint,
      body = excluded.body,
      etag = excluded.etag,
      last_modified = excluded.last_modified,
      created_at = excluded.created_at
  )
select
  "access"."id" as "keyId",
  "access"."company_id" as "companyId",
  "seconds_left" as "secondsLeft",
  "is_permitted"
  and case
    when exists (
      select
      from
        application
    ) then exists (
      select
      from
        grants
    )
    else true
  end as "isPermitted",
  "is_use_due" as "isUseDue",
  "is_feed_healthy" as "isFeedHealthy",
  "is_feed_silent" as "isFeedSilent",
  verdict.refusal as "refusal",
  null::text[] as "fields",
  verdict.is_replay as "isReplay",
  exists (
    select
    from
      audited
  ) as "isEffective",
  case
    when verdict.is_replay then earlier.body
    else answer.body
  end as "body",
  case
    when verdict.is_replay then earlier.etag
    else answer.etag
  end as "etag",
  to_char(
    case
      when verdict.is_replay then earlier.last_modified
      else answer.last_modified
    end at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
  ) as "lastModified",
  (
    select
      count(*)
    from
      (
        select
        from
          "audit_log"
        where
          created_at > now() - interval '10 minutes'
        limit
          25
      ) as recent
  ) < 25 as "isPurgeAffordable",
  ceil(
    extract(
      epoch
      from
        (statement_timestamp() at time zone 'UTC')::date + 1 - (statement_timestamp() at time zone 'UTC')
    )
  )::int as "secondsLeftToday"
from
  "access"
  left join verdict on true
  left join answer on true
  left join earlier on true;
