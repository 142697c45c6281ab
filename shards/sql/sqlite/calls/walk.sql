-- [user, request]: the calls after this key, of this user and of all users behind, in the order of the key.
SELECT user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms
FROM raffle_call_{table}
WHERE (user_id, request_id) > ($1 ->> '$[0]', $1 ->> '$[1]')
ORDER BY user_id, request_id
LIMIT {rows_max}
