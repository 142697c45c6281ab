-- [[user, activity]]; activity 0 means all. The newest first.
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, o.order_id, o.request_id, o.activity_id, o.version, o.ordinal, o.day,
       o.award_id, o.award_title, o.award_index, o.rule, o.stocked, o.created_at_ms,
       o.seq, o.asked
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k           FOR ORDINALITY,
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN raffle_order_{table} AS o FORCE INDEX (raffle_order_request)
    ON o.user_id = j.user_id
WHERE j.activity_id IN (0, o.activity_id)
ORDER BY o.created_at_ms DESC, o.order_id DESC
LIMIT 100
