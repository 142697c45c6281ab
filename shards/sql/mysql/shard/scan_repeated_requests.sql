SELECT user_id, request_id, count(*)
FROM raffle_order_{table}
GROUP BY user_id, request_id
HAVING count(*) > 1
