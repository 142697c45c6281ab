SELECT user_id, request_id, seq, count(*)
FROM raffle_order_{table}
GROUP BY user_id, request_id, seq
HAVING count(*) > 1
