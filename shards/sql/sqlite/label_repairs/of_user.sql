-- [user]
SELECT user_id, activity_id, used, today
FROM label_repair_{table}
WHERE user_id = $1 ->> '$[0]'
ORDER BY activity_id, used
