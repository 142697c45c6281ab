-- [[user, order]] -> the recharge order's call, and the recharge order, each by its key.
SELECT c.user_id, c.request_id, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms,
       o.order_id, o.user_id, o.request_id, o.activity_id, o.kind, o.chances, o.created_at_ms,
       o.points, o.sku, o.behaviour, o.business_no, o.streak
FROM json_each($1) AS wanted
CROSS JOIN recharge_order_{table} AS o
    ON o.order_id = wanted.value ->> 1 AND o.user_id = wanted.value ->> 0
CROSS JOIN raffle_call_{table} AS c
    ON c.user_id = o.user_id AND c.request_id = o.request_id
