-- [user]
SELECT user_id, activity_id, granted, used, day, day_used, month_used
FROM raffle_account_{table}
WHERE user_id = $1 ->> '$[0]'
ORDER BY activity_id
