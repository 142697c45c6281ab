-- [order, ...] -> orders.
SELECT o.order_id, o.user_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.promise, o.points, o.award_config
FROM json_each($1) AS wanted
CROSS JOIN raffle_order_{table} AS o
    ON o.order_id = wanted.value
