-- [user, before]: the user's entries before that number, the newest first, at most 101.
SELECT user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms
FROM points_entry_{table}
WHERE user_id = $1 ->> '$[0]' AND number < $1 ->> '$[1]'
ORDER BY user_id DESC, number DESC
LIMIT 101
