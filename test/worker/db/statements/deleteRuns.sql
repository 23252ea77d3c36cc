with
  deleted as (
    delete from "process_runs"
    where
      ctid = any (
        array(
          select
            ctid
          from
            "process_runs"
          where
            requested_at <= now() - interval '720 hours'
          order by
            requested_at
          limit
            1000
          for update
            skip locked
        )
      )
    returning
      1
  )
select
  count(*)::int
from
  deleted;
