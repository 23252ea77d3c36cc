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
      process.*
    from
      "processes" as process,
      "application"
    where
      process.application_id = "application"."id"
      and process.id = $5::uuid
    for update of
      process
  ),
  "grants" as (
    select
    from
      "api_key_tokens"
      join "api_keys" on "api_keys"."id" = "api_key_tokens"."api_key_id"
      join "api_key_capabilities" on (
        "api_key_capabilities"."api_key_id" = "api_keys"."id"
        and "api_key_capabilities"."permission" = $6
        and (
          "api_key_capabilities"."resource_id" is null
          or "api_key_capabilities"."resource_id" = $7::uuid
        )
      )
    where
      "api_key_tokens"."hash" = $8
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
  "target" as (
    select
      process.*
    from
      "processes" as process,
      "application"
    where
      process.application_id = "application"."id"
      and process.id = $12::uuid
    for update of
      process
  ),
  "before" as (
    select
      json_build_object(
        'id', "target"."id",
        'app_id', "target"."application_id",
        'key', "target"."key",
        'type', "target"."type",
        'display_name', "target"."display_name",
        'entrypoint', "target"."entrypoint",
        'port', "target"."port",
        'is_ingress_enabled', "target"."is_ingress_enabled",
        'ingress_protocol', "target"."ingress_protocol",
        'scaling_strategy', "target"."scaling_strategy",
        'resource_type_id', "target"."resource_type_id",
        'resource_type_name', "process_resource_types"."name",
        'cpu_limit', "process_resource_types"."cpu_millicores",
        'memory_limit', "process_resource_types"."memory_megabytes",
        'schedule', "target"."schedule",
        'time_zone', "target"."time_zone",
        'job_start_policy', "target"."job_start_policy",
        'liveness_probe', "target"."liveness_probe",
        'readiness_probe', "target"."readiness_probe",
        'internal_hostname', "application"."name" || '-' || "target"."key" || '.' || "application"."namespace" || '.svc.cluster.local',
        'created_at', to_char("target"."created_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'updated_at', to_char("target"."updated_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      )::text as "body",
      greatest("target"."updated_at", "application"."updated_at", "process_resource_types"."updated_at") as "last_modified"
    from
      "target"
      inner join "application" on true
      left join "process_resource_types" on "process_resource_types"."id" = "target"."resource_type_id"
  ),
  "candidate" as (
    select
      candidate.*
    from
      "target",
      jsonb_populate_record(row ("target".*)::"processes", $13::jsonb) as changed,
      jsonb_populate_record(
        changed,
        case
          when changed is distinct from row ("target".*)::"processes" then jsonb_build_object('updated_at', greatest(statement_timestamp(), "target"."updated_at" + interval '1 millisecond'))
          else '{}'
        end
      ) as candidate
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
      changed.id as process_id,
      changed.before::jsonb as before,
      changed.after::jsonb as after
    from
      answer,
      (
        select
          target.id,
          difference.*
        from
          target,
          candidate,
          before,
          answer,
          lateral (
            select
              jsonb_object_agg(key, old.value) as before,
              jsonb_object_agg(key, new.value) as after
            from
              jsonb_each(before.body::jsonb) as old
              join jsonb_each(answer.body::jsonb) as new using (key)
            where
              old.value <> new.value
          ) as difference
        where
          row ("candidate".*) is distinct from row ("target".*)
      ) as changed
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
            target
        ) then 'absent'
        when (
          $14::boolean
          or not exists (
            select
            from
              target,
              candidate
            where
              row ("candidate".*) is distinct from row ("target".*)
          )
        )
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
              and "api_key_capabilities"."permission" = $15
              and (
                "api_key_capabilities"."resource_id" is null
                or "api_key_capabilities"."resource_id" = $16::uuid
              )
            )
        ) then 'unreadable'
        when case
          when $17::text[] is not null then not (
            (
              select
                encode(substring(sha256(convert_to(before.body, 'UTF8')) for 16), 'hex')
              from
                before
            ) is not null
            and array[
              '*',
              '"' || (
                select
                  encode(substring(sha256(convert_to(before.body, 'UTF8')) for 16), 'hex')
                from
                  before
              ) || '"'
            ] && $18::text[]
          )
          else coalesce(
            date_trunc(
              'second', (
                select
                  before.last_modified
                from
                  before
              ) + interval '999999 microseconds'
            ) > $19::timestamptz,
            false
          )
        end
        or (
          $20::text[] is not null
          and (
            (
              select
                encode(substring(sha256(convert_to(before.body, 'UTF8')) for 16), 'hex')
              from
                before
            ) is not null
            and array[
              '*',
              '"' || (
                select
                  encode(substring(sha256(convert_to(before.body, 'UTF8')) for 16), 'hex')
                from
                  before
              ) || '"'
            ] && $21::text[]
          )
        ) then 'changed'
        when array(
          select
            sent.key
          from
            target,
            jsonb_each($22::jsonb) as sent,
            jsonb_each($23::jsonb) as rule
          where
            sent.key = rule.key
            and not coalesce(rule.value ? target.type::text, false)
            and sent.value not in ('false', 'null')
          order by
            sent.key
        ) <> '{}' then 'foreign_fields'
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
            candidate
          where
            scaling_strategy ->> 'type' = 'horizontal'
            and type is distinct from 'web'
            and type is distinct from 'worker'
        ) then 'manual_scaling_only'
        when not $24::boolean
        and exists (
          select
          from
            today
          where
            bytes >= $25::bigint
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
      and not $26::boolean
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
          $27::text is not null
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
  "updated" as (
    update "processes" as process
    set
      "display_name" = candidate."display_name",
      "entrypoint" = candidate."entrypoint",
      "port" = candidate."port",
      "is_ingress_enabled" = candidate."is_ingress_enabled",
      "ingress_protocol" = candidate."ingress_protocol",
      "scaling_strategy" = candidate."scaling_strategy",
      "resource_type_id" = candidate."resource_type_id",
      "schedule" = candidate."schedule",
      "time_zone" = candidate."time_zone",
      "job_start_policy" = candidate."job_start_policy",
      "liveness_probe" = candidate."liveness_probe",
      "readiness_probe" = candidate."readiness_probe",
      "updated_at" = candidate."updated_at"
    from
      candidate,
      target,
      written
    where
      process.id = candidate.id
      and row ("candidate".*) is distinct from row ("target".*)
  ),
  "audited" as (
    insert into
      "audit_log" (api_key_id, company_id, application_id, process_id, operation, before, after, request_id)
    select
      "access"."id", "access"."company_id", "application"."id",
      process_id,
      $28::audited_operation,
      before,
      after,
      $29::uuid
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
      $30::text,
      $31::text,
      sha256(convert_to($32::text, 'UTF8')),
      body,
      etag,
      last_modified
    from
      written,
      "access",
      answer
    where
      $33::text is not null
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
  array(
    select
      sent.key
    from
      target,
      jsonb_each($34::jsonb) as sent,
      jsonb_each($35::jsonb) as rule
    where
      sent.key = rule.key
      and not coalesce(rule.value ? target.type::text, false)
      and sent.value not in ('false', 'null')
    order by
      sent.key
  ) as "fields",
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
