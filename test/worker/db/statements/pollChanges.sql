with
  lease as (
    update "feed"
    set
      holder = $1::uuid,
      leased_until = now() + interval '10 seconds',
      healthy_at = case
        when $2::boolean then now()
        else healthy_at
      end,
      memory = coalesce($3::jsonb, memory)
    where
      holder = $4::uuid
      or leased_until is null
      or leased_until not between now() and now() + interval '1 minute'
    returning
      memory
  ),
  waiting as materialized (
    select
      (
        select
          count(*)
        from
          (
            select
            from
              "changes"
            where
              xid >= (
                select
                  pg_snapshot_xmax((memory ->> 'purged')::pg_snapshot)
                from
                  lease
              )
            order by
              xid
            limit
              5000 + 1
          ) as waiting
      ) + (
        select
          count(*)
        from
          (
            select
            from
              "changes"
            where
              xid = any (
                array(
                  select
                    pg_snapshot_xip((memory ->> 'purged')::pg_snapshot)
                  from
                    lease
                )
              )
            order by
              xid
            limit
              5000 + 1
          ) as waiting
      ) <= 5000 as are_few
  )
select
  json_build_object('snapshot', pg_current_snapshot(), 'memory', memory) as lease,
  null as kind,
  null as "resourceId",
  null as "applicationId",
  null as "companyId",
  null as "ownerId",
  null::float8 as "changedAt"
from
  lease
union all
(
  select
    null::json,
    kind,
    resource_id,
    application_id,
    company_id,
    (
      select
        company_id
      from
        "applications"
      where
        id = application_id
    ),
    extract(
      epoch
      from
        changed_at
    )::float8 * 1000
  from
    "changes"
  where
    (
      select
        are_few
      from
        waiting
    )
    and xid >= (
      select
        pg_snapshot_xmax((memory ->> 'purged')::pg_snapshot)
      from
        lease
    )
  order by
    xid
  limit
    5000
)
union all
(
  select
    null::json,
    'everything', null,
    null,
    null,
    null,
    extract(
      epoch
      from
        changed_at
    )::float8 * 1000
  from
    "changes"
  where
    not (
      select
        are_few
      from
        waiting
    )
    and xid >= (
      select
        pg_snapshot_xmax((memory ->> 'purged')::pg_snapshot)
      from
        lease
    )
  order by
    xid
  limit
    1
)
union all
(
  select
    null::json,
    kind,
    resource_id,
    application_id,
    company_id,
    (
      select
        company_id
      from
        "applications"
      where
        id = application_id
    ),
    extract(
      epoch
      from
        changed_at
    )::float8 * 1000
  from
    "changes"
  where
    (
      select
        are_few
      from
        waiting
    )
    and xid = any (
      array(
        select
          pg_snapshot_xip((memory ->> 'purged')::pg_snapshot)
        from
          lease
      )
    )
  order by
    xid
  limit
    5000
)
union all
(
  select
    null::json,
    'everything', null,
    null,
    null,
    null,
    extract(
      epoch
      from
        changed_at
    )::float8 * 1000
  from
    "changes"
  where
    not (
      select
        are_few
      from
        waiting
    )
    and xid = any (
      array(
        select
          pg_snapshot_xip((memory ->> 'purged')::pg_snapshot)
        from
          lease
      )
    )
  order by
    xid
  limit
    1
);
