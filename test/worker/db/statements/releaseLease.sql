update "feed"
set
  leased_until = null,
  memory = coalesce($1::jsonb, memory)
where
  holder = $2::uuid;
