-- [user, activity, ordinal]: the user's orders from there on, in the order of the key of requests.
SELECT user_id, activity_id, ordinal, order_id, version, day, award_id, award_title, award_index, rule, stocked,
       created_at_ms, request_id, seq, asked
FROM raffle_order_{table} {by_request}
WHERE user_id = JSON_UNQUOTE(JSON_EXTRACT(?, '$[0]')) COLLATE utf8mb4_bin
  AND (activity_id > CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED)
       OR activity_id = CAST(JSON_EXTRACT(?, '$[1]') AS SIGNED)
          AND ordinal >= CAST(JSON_EXTRACT(?, '$[2]') AS SIGNED))
ORDER BY user_id, request_id, seq
