with
  restored as (
    update "changes"
    set
      xid = default
    where
      xid > pg_current_xact_id()
  )
update "feed"
set
  memory = $1::jsonb
where
  pg_snapshot_xmin((memory ->> 'purged')::pg_snapshot) > pg_current_xact_id();
