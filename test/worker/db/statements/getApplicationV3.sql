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
        'id', "application"."id",
        'name', "application"."name",
        'display_name', "application"."display_name",
        'status', "application"."status",
        'type', "application"."type",
        'source', "application"."source",
        'is_suspended', "application"."is_suspended",
        'created_at', to_char("application"."created_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'updated_at', to_char("application"."updated_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'company_id', "application"."company_id",
        'project_id', "application"."project_id",
        'namespace', "application"."namespace",
        'hibernation_enabled', "application"."is_hibernation_enabled",
        'hibernate_after_seconds', "application"."hibernate_after_seconds",
        'git_type', "application"."git_type",
        'repo_url', "application"."repo_url",
        'default_branch', "application"."default_branch",
        'auto_deploy', "application"."auto_deploy",
        'allow_deploy_paths', "application"."allow_deploy_paths",
        'ignore_deploy_paths', "application"."ignore_deploy_paths",
        'docker_image', "application"."docker_image",
        'docker_registry_credential_id', "application"."docker_registry_credential_id",
        'build_type', "application"."build_type",
        'build_path', "application"."build_path",
        'build_cache_enabled', "application"."is_build_cache_enabled",
        'pack_builder', "application"."pack_builder",
        'buildpacks', "application"."buildpacks",
        'nixpacks_version', "application"."nixpacks_version",
        'dockerfile_path', "application"."dockerfile_path",
        'docker_context', "application"."docker_context",
        'cluster_id', "application"."cluster_id",
        'created_by', "application"."created_by"
      ) as "json",
      "updated_at" as "last_modified"
    from
      "application"
    limit
      $5
  ) "payload" on true;
