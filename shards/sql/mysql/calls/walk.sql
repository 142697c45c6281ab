-- [user, request]: the calls after this key, of this user and of all users behind, in the order of the key.
SELECT user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
      AND request_id > JSON_UNQUOTE(JSON_EXTRACT(?, '$[1]')) COLLATE utf8mb4_bin
   OR user_id > JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
ORDER BY user_id, request_id
LIMIT {rows_max}
