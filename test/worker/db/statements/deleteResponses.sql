with
  deleted as (
    delete from "idempotent_answers"
    where
      ctid = any (
        array(
          select
            ctid
          from
            "idempotent_answers"
          where
            ctid = any (
              array(
                select
                  place
                from
                  (
                    select
                      place,
                      sum(bytes) over (
                        order by
                          created_at rows between unbounded preceding
                          and 1 preceding
                      ) as bytes_before
                    from
                      (
                        select
                          ctid as place,
                          created_at,
                          pg_column_size(body) as bytes
                        from
                          "idempotent_answers"
                        where
                          created_at <= now() - interval '24 hours'
                        order by
                          created_at
                        limit
                          5000
                      ) as expired
                  ) as oldest
                where
                  coalesce(bytes_before, 0) < 2000000
              )
            )
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
