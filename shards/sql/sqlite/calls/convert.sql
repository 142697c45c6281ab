-- [user, request]: writes the calls of the next orders after this key, at most {rows_max} of them.
INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms)
SELECT user_id, request_id, 1, MIN(activity_id), MAX(asked), MIN(order_id), COUNT(*), MIN(created_at_ms)
FROM raffle_order_{table} INDEXED BY raffle_order_request_{table}
WHERE (user_id, request_id) > ($1 ->> '$[0]', $1 ->> '$[1]')
GROUP BY user_id, request_id
ORDER BY user_id, request_id
LIMIT {rows_max}
