-- [[user, activity, day, day_used, month_used]]
UPDATE raffle_account_{table} AS a
SET day = j.value ->> 2, day_used = j.value ->> 3, month_used = j.value ->> 4
FROM json_each($1) AS j
WHERE a.user_id = j.value ->> 0 AND a.activity_id = j.value ->> 1
