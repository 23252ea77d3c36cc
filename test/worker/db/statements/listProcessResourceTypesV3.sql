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
      coalesce(
        json_agg(
          json_build_object(
            'id', "process_resource_types"."id",
            'name', "process_resource_types"."name",
            'cpu_limit', "process_resource_types"."cpu_millicores",
            'memory_limit', "process_resource_types"."memory_megabytes",
            'category', "process_resource_types"."category"
          )
          order by
            "process_resource_types"."cpu_millicores", "process_resource_types"."memory_megabytes", "process_resource_types"."name"
        ),
        '[]'
      ) as "json"
    from
      "process_resource_types"
  ) "payload" on true;
