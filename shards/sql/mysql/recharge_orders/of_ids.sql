-- [order, ...] -> recharge orders.
SELECT STRAIGHT_JOIN o.order_id, o.user_id, o.request_id, o.activity_id, o.kind, o.chances, o.created_at_ms,
       o.points, o.sku, o.behaviour, o.business_no, o.streak
FROM JSON_TABLE(?, '$[*]' COLUMNS (order_id BIGINT PATH '$' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN recharge_order_{table} AS o FORCE INDEX (PRIMARY)
    ON o.order_id = j.order_id
