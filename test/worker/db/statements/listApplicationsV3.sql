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
        "api_key_tokens"."hash" = $2
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
                    'id', "application"."id",
                    'name', "application"."name",
                    'display_name', "application"."display_name",
                    'status', "application"."status",
                    'type', "application"."type",
                    'source', "application"."source",
                    'is_suspended', "application"."is_suspended",
                    'created_at', to_char("application"."created_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                    'updated_at', to_char("application"."updated_at" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
                  )
                  order by
                    "application"."created_at" desc,
                    "application"."id" desc
                ),
                '[]'
              )
            from
              (
                select
                  "applications"."id", "applications"."company_id", "applications"."name", "applications"."display_name", "applications"."namespace", "applications"."status", "applications"."type", "applications"."source", "applications"."is_suspended", "applications"."project_id", "applications"."cluster_id", "applications"."docker_registry_credential_id", "applications"."created_by", "applications"."git_type", "applications"."repo_url", "applications"."default_branch", "applications"."docker_image", "applications"."auto_deploy", "applications"."allow_deploy_paths", "applications"."ignore_deploy_paths", "applications"."build_type", "applications"."build_path", "applications"."is_build_cache_enabled", "applications"."pack_builder", "applications"."buildpacks", "applications"."nixpacks_version", "applications"."dockerfile_path", "applications"."docker_context", "applications"."is_hibernation_enabled", "applications"."hibernate_after_seconds", "applications"."created_at", "applications"."updated_at"
                from
                  (
                    select
                      "id", "created_at"
                    from
                      (
                        (
                          select
                            "id", "created_at"
                          from
                            "applications"
                          where
                            (
                              "applications"."company_id" = (
                                select
                                  "access"."company_id"
                                from
                                  "access"
                              )
                              and exists (
                                select
                                from
                                  "api_key_capabilities"
                                where
                                  "api_key_capabilities"."api_key_id" = (
                                    select
                                      "access"."id"
                                    from
                                      "access"
                                  )
                                  and "api_key_capabilities"."permission" = $3
                                  and "api_key_capabilities"."resource_id" is null
                              )
                            )
                          order by
                            "applications"."created_at" desc,
                            "applications"."id" desc
                          limit
                            $4
                        )
                        union all
                        (
                          select
                            "applications"."id", "applications"."created_at"
                          from
                            "api_key_capabilities"
                            inner join "applications" on "applications"."id" = "api_key_capabilities"."resource_id"
                          where
                            (
                              "api_key_capabilities"."api_key_id" = (
                                select
                                  "access"."id"
                                from
                                  "access"
                              )
                              and "api_key_capabilities"."permission" = $5
                              and "applications"."company_id" = (
                                select
                                  "access"."company_id"
                                from
                                  "access"
                              )
                              and not exists (
                                select
                                from
                                  "api_key_capabilities"
                                where
                                  "api_key_capabilities"."api_key_id" = (
                                    select
                                      "access"."id"
                                    from
                                      "access"
                                  )
                                  and "api_key_capabilities"."permission" = $6
                                  and "api_key_capabilities"."resource_id" is null
                              )
                            )
                          order by
                            "applications"."created_at" desc,
                            "applications"."id" desc
                          limit
                            $7
                        )
                      ) "listed"
                    order by
                      "listed"."created_at" desc,
                      "listed"."id" desc
                    limit
                      $8
                    offset
                      $9
                  ) "listed"
                  inner join "applications" on "applications"."id" = "listed"."id"
              ) "application"
          )
        ),
        'total', (
          select
            count(*)
          from
            (
              select
                "id", "created_at"
              from
                (
                  (
                    select
                      "id", "created_at"
                    from
                      "applications"
                    where
                      (
                        "applications"."company_id" = (
                          select
                            "access"."company_id"
                          from
                            "access"
                        )
                        and exists (
                          select
                          from
                            "api_key_capabilities"
                          where
                            "api_key_capabilities"."api_key_id" = (
                              select
                                "access"."id"
                              from
                                "access"
                            )
                            and "api_key_capabilities"."permission" = $10
                            and "api_key_capabilities"."resource_id" is null
                        )
                      )
                    order by
                      "applications"."created_at" desc,
                      "applications"."id" desc
                    limit
                      $11
                  )
                  union all
                  (
                    select
                      "applications"."id", "applications"."created_at"
                    from
                      "api_key_capabilities"
                      inner join "applications" on "applications"."id" = "api_key_capabilities"."resource_id"
                    where
                      (
                        "api_key_capabilities"."api_key_id" = (
                          select
                            "access"."id"
                          from
                            "access"
                        )
                        and "api_key_capabilities"."permission" = $12
                        and "applications"."company_id" = (
                          select
                            "access"."company_id"
                          from
                            "access"
                        )
                        and not exists (
                          select
                          from
                            "api_key_capabilities"
                          where
                            "api_key_capabilities"."api_key_id" = (
                              select
                                "access"."id"
                              from
                                "access"
                            )
                            and "api_key_capabilities"."permission" = $13
                            and "api_key_capabilities"."resource_id" is null
                        )
                      )
                    order by
                      "applications"."created_at" desc,
                      "applications"."id" desc
                    limit
                      $14
                  )
                ) "listed"
              order by
                "listed"."created_at" desc,
                "listed"."id" desc
              limit
                $15
            ) as counted
        ),
        'offset', $16::int,
        'limit', $17::int
      ) as "json"
    from
      "access"
    limit
      $18
  ) "payload" on true;
