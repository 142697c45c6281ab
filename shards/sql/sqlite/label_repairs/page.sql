-- [after, up to]: repairs of the users in between, in the order of the key.
SELECT user_id, activity_id, used, today
FROM label_repair_{table}
WHERE user_id > $1 ->> '$[0]' AND user_id <= $1 ->> '$[1]'
ORDER BY user_id, activity_id, used
LIMIT {rows_max}
