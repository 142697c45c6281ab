-- [order, ...] -> recharge orders.
SELECT o.order_id, o.user_id, o.request_id, o.activity_id, o.kind, o.chances, o.created_at_ms,
       o.points, o.sku, o.behaviour, o.business_no, o.streak
FROM json_each($1) AS wanted
CROSS JOIN recharge_order_{table} AS o
    ON o.order_id = wanted.value
