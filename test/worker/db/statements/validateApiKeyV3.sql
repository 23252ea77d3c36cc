with
  "access" as (
    select
      "api_keys"."id", "api_keys"."company_id", "api_key_tokens"."hash",
      extract(
        epoch
        from
          least("api_keys"."expires_at", "api_key_tokens"."expires_at") - now()
      )::float8 as "seconds_left",
      true as "is_permitted",
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
        "api_key_tokens"."hash" = $1
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
        'name', "api_key"."name",
        'expires_at', to_char("expires_first" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'company_id', "api_key"."company_id",
        'status', 'active'
      ) as "json"
    from
      (
        select
          "api_keys"."id", "api_keys"."company_id", "api_keys"."name", "api_keys"."source", "api_keys"."is_enabled", "api_keys"."expires_at", "api_keys"."last_used_at", "api_keys"."created_at", "api_keys"."updated_at",
          "companies"."name" as "company_name",
          "api_key_tokens"."masked",
          least("api_keys"."expires_at", "api_key_tokens"."expires_at") as "expires_first",
          (
            select
              coalesce(
                json_agg(
                  json_build_object('permission', granted.permission, 'resource_id', granted.resource_id)
                  order by
                    granted.permission,
                    granted.resource_id
                ),
                '[]'
              )
            from
              "api_key_capabilities" granted
            where
              granted.api_key_id = "api_keys"."id"
              and (
                granted.resource_id is null
                or not exists (
                  select
                  from
                    "api_key_capabilities" wider
                  where
                    wider.api_key_id = granted.api_key_id
                    and wider.permission = granted.permission
                    and wider.resource_id is null
                )
              )
          ) as "capabilities"
        from
          "access"
          inner join "api_keys" on "api_keys"."id" = "access"."id"
          inner join "api_key_tokens" on "api_key_tokens"."hash" = "access"."hash"
          inner join "companies" on "companies"."id" = "access"."company_id"
      ) "api_key"
    limit
      $2
  ) "payload" on true;
