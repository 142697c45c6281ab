-- [user, activity]: the user's calls for draws, the newest first; activity 0 means all. Reads the key's range
-- of the user and nothing else. A call makes at least one draw, so these are enough for 100 draws.
SELECT 0, user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table}
WHERE user_id = $1 ->> '$[0]'
  AND kind = 1
  AND $1 ->> '$[1]' IN (0, activity_id)
ORDER BY created_at_ms DESC, first_id DESC
LIMIT 100
