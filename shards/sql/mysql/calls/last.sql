-- The last call in the order of the key: a conversion continues after it.
SELECT user_id, request_id
FROM raffle_call_{table} FORCE INDEX (PRIMARY)
ORDER BY user_id DESC, request_id DESC
LIMIT 1
