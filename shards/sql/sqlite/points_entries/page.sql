-- [after, up to]: entries of the users in between, in the order of the key.
SELECT user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms
FROM points_entry_{table}
WHERE user_id > $1 ->> '$[0]' AND user_id <= $1 ->> '$[1]'
ORDER BY user_id, number
LIMIT {rows_max}
