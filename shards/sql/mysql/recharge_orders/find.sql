-- [[user, order]] -> the recharge order's call, and the recharge order, each by its key.
SELECT STRAIGHT_JOIN
       c.user_id, c.request_id, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms,
       o.order_id, o.user_id, o.request_id, o.activity_id, o.kind, o.chances, o.created_at_ms,
       o.points, o.sku, o.behaviour, o.business_no, o.streak
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    user_id  VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    order_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN recharge_order_{table} AS o FORCE INDEX (PRIMARY)
    ON o.order_id = j.order_id AND o.user_id = j.user_id
JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = o.user_id AND c.request_id = o.request_id
