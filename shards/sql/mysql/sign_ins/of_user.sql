-- [user]
SELECT user_id, activity_id, day, streak
FROM sign_in_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
ORDER BY user_id, activity_id
