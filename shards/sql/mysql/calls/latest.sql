-- [user, activity, at_ms, first, draws]: the user's calls for draws (draws is 1), or all others (0), up to the one
-- that was made at that time and has that first id, the newest first; activity 0 means all. Reads the key's range
-- of the user and nothing else, and keeps as many rows as it returns while it sorts. A call makes at least one row,
-- so behind the first call, which the caller may have read already, these are enough for 100 rows and one more.
SELECT 0, user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table} FORCE INDEX (PRIMARY)
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
  AND (kind = 1) = CAST(JSON_EXTRACT(?, '$[4]') AS SIGNED)
  AND CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED) IN (0, activity_id)
  AND (created_at_ms < CAST(JSON_EXTRACT(?, '$[2]') AS SIGNED)
       OR created_at_ms = CAST(JSON_EXTRACT(?, '$[2]') AS SIGNED)
          AND first_id <= CAST(JSON_EXTRACT(?, '$[3]') AS SIGNED))
ORDER BY created_at_ms DESC, first_id DESC
LIMIT 102
