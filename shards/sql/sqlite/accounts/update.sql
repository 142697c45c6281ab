-- [[user, activity, granted, used, day, day_used, month_used], ...]
WITH c AS MATERIALIZED (
    SELECT value ->> 0 AS user_id, value ->> 1 AS activity_id, value AS row FROM json_each($1)
)
UPDATE raffle_account_{table} AS a
SET granted = c.row ->> 2, used = c.row ->> 3, day = c.row ->> 4, day_used = c.row ->> 5, month_used = c.row ->> 6
FROM c
WHERE a.user_id = c.user_id AND a.activity_id = c.activity_id
