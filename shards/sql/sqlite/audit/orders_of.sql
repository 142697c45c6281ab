-- [user, activity, ordinal]: the user's orders from there on, in the order of the key of requests.
SELECT user_id, activity_id, ordinal, order_id, version, day, award_id, award_title, award_index, rule, stocked,
       created_at_ms, request_id, seq, asked
FROM raffle_order_{table} {by_request}
WHERE user_id = $1 ->> '$[0]' AND (activity_id, ordinal) >= ($1 ->> '$[1]', $1 ->> '$[2]')
ORDER BY user_id, request_id, seq
