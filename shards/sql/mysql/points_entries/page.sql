-- [after, up to]: entries of the users in between, in the order of the key.
SELECT user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms
FROM points_entry_{table} FORCE INDEX (PRIMARY)
WHERE user_id > JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
  AND user_id <= JSON_UNQUOTE(JSON_EXTRACT(?, '$[1]')) COLLATE utf8mb4_bin
ORDER BY user_id, number
LIMIT {rows_max}
