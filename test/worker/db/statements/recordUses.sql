with
  used as (
    select
      "api_key_tokens"."hash", "api_key_tokens"."api_key_id"
    from
      "api_key_tokens"
      join "api_keys" on "api_keys"."id" = "api_key_tokens"."api_key_id"
    where
      "api_key_tokens"."hash" = any ($1::bytea[])
      and (
        "api_key_tokens"."last_used_at" is null
        or "api_key_tokens"."last_used_at" < now() - interval '1 minute'
      )
    for update
      skip locked
  ),
  used_tokens as (
    update "api_key_tokens"
    set
      last_used_at = now()
    where
      hash in (
        select
          hash
        from
          used
      )
  )
update "api_keys"
set
  last_used_at = now()
where
  id in (
    select
      api_key_id
    from
      used
  );
