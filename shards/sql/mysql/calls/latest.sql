-- [user, activity]: the user's calls for draws, the newest first; activity 0 means all. Reads the key's range
-- of the user and nothing else. A call makes at least one draw, so these are enough for 100 draws.
SELECT 0, user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
  AND kind = 1
  AND CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED) IN (0, activity_id)
ORDER BY created_at_ms DESC, first_id DESC
LIMIT 100
