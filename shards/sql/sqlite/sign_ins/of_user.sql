-- [user]
SELECT user_id, activity_id, day, streak
FROM sign_in_{table}
WHERE user_id = $1 ->> '$[0]'
ORDER BY user_id, activity_id
