-- [user, before]: the user's entries before that number, the newest first, at most 101.
SELECT user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms
FROM points_entry_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
  AND number < CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED)
ORDER BY user_id DESC, number DESC
LIMIT 101
