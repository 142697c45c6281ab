-- [user, activity]: the account, locked.
SELECT user_id, activity_id, granted, used, day, day_used, month_used
FROM raffle_account_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin AND activity_id = CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED)
FOR UPDATE
