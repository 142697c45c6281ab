-- [user, activity]: the account. The whole file is locked already: SQLite has one writer.
SELECT user_id, activity_id, granted, used, day, day_used, month_used
FROM raffle_account_{table}
WHERE user_id = $1 ->> '$[0]' AND activity_id = $1 ->> '$[1]'
