-- [[user, order]] -> the order's call, and the order. The order is looked up first, then its call in the
-- user's range of the key of calls. Ids of a call are 1,024 apart.
SELECT STRAIGHT_JOIN
       c.user_id, c.request_id, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms,
       o.order_id, o.user_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.promise, o.points, o.award_config
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    user_id  VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    order_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN raffle_order_{table} AS o FORCE INDEX (PRIMARY)
    ON o.order_id = j.order_id AND o.user_id = j.user_id
JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id
WHERE c.kind = 1 AND o.order_id >= c.first_id AND o.order_id < c.first_id + 1024 * c.made
