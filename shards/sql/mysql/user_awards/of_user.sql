-- [user]
SELECT user_id, activity_id, award_id, given
FROM user_award_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
ORDER BY user_id, activity_id, award_id
