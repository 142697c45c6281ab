-- [user, activity, at_ms, first, draws]: the user's calls for draws (draws is 1), or all others (0), up to the one
-- that was made at that time and has that first id, the newest first; activity 0 means all. Reads the key's range
-- of the user and nothing else, and keeps as many rows as it returns while it sorts. A call makes at least one row,
-- so behind the first call, which the caller may have read already, these are enough for 100 rows and one more.
SELECT 0, user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table}
WHERE user_id = $1 ->> '$[0]'
  AND (kind = 1) = $1 ->> '$[4]'
  AND $1 ->> '$[1]' IN (0, activity_id)
  AND (created_at_ms, first_id) <= ($1 ->> '$[2]', $1 ->> '$[3]')
ORDER BY created_at_ms DESC, first_id DESC
LIMIT 102
