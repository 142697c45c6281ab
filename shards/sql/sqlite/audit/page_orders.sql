-- [after, up to]: orders of the users in between, in the order of the key of requests, so that nothing
-- is sorted.
SELECT user_id, activity_id, ordinal, order_id, version, day, award_id, award_title, award_index, rule, stocked,
       created_at_ms, request_id, seq, asked
FROM raffle_order_{table} {by_request}
WHERE user_id > $1 ->> '$[0]' AND user_id <= $1 ->> '$[1]'
ORDER BY user_id, request_id, seq
LIMIT {rows_max}
