-- [user]
SELECT user_id, activity_id, used, today
FROM label_repair_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
ORDER BY activity_id, used
