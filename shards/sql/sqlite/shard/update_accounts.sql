-- [[user, activity, granted, used, day, day_used, month_used], ...]
UPDATE raffle_account_{table} AS a
SET granted = c.value ->> 2, used = c.value ->> 3, day = c.value ->> 4,
    day_used = c.value ->> 5, month_used = c.value ->> 6
FROM json_each(?1) AS c
WHERE a.user_id = c.value ->> 0 AND a.activity_id = c.value ->> 1
