-- [[user, activity], ...] -> the accounts that are there.
SELECT a.user_id, a.activity_id, a.granted, a.used, a.day, a.day_used, a.month_used
FROM json_each($1) AS wanted
CROSS JOIN raffle_account_{table} AS a
    ON a.user_id = wanted.value ->> 0 AND a.activity_id = wanted.value ->> 1
