-- [after, up to]: accounts of the users in between, in the order of the key.
SELECT user_id, activity_id, granted, used, day, day_used, month_used
FROM raffle_account_{table}
WHERE user_id > $1 ->> '$[0]' AND user_id <= $1 ->> '$[1]'
ORDER BY user_id, activity_id
LIMIT {rows_max}
