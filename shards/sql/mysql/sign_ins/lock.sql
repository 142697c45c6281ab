-- [user, activity]: the sign-in, locked.
SELECT user_id, activity_id, day, streak
FROM sign_in_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin AND activity_id = CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED)
FOR UPDATE
