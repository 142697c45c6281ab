-- [user, activity, created_at_ms, id] -> the user's calls for draws, the newest first, from that moment and id
-- back; activity 0 means all. Reads the key's range of the user and nothing else. One call more than a page has
-- draws: of the first all may have been handed out.
SELECT 0, user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table}
WHERE user_id = $1 ->> '$[0]'
  AND kind = 1
  AND $1 ->> '$[1]' IN (0, activity_id)
  AND (created_at_ms, first_id) <= ($1 ->> '$[2]', $1 ->> '$[3]')
ORDER BY created_at_ms DESC, first_id DESC
LIMIT 101
