-- [user]
SELECT user_id, activity_id, award_id, given
FROM user_award_{table}
WHERE user_id = $1 ->> '$[0]'
ORDER BY user_id, activity_id, award_id
