-- [after, up to]: rows of the users in between, in the order of the key.
SELECT user_id, activity_id, award_id, given
FROM user_award_{table}
WHERE user_id > $1 ->> '$[0]' AND user_id <= $1 ->> '$[1]'
ORDER BY user_id, activity_id, award_id
LIMIT {rows_max}
