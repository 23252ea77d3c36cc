with
  deleted as (
    delete from "changes"
    where
      ctid = any (
        array(
          select
            ctid
          from
            "changes"
          where
            xid < pg_snapshot_xmax($1::pg_snapshot)
            and pg_visible_in_snapshot(xid, $2::pg_snapshot)
          order by
            xid
          limit
            10000
        )
      )
    returning
      1
  )
select
  count(*)::int
from
  deleted;
