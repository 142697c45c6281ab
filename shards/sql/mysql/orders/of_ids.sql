-- [order, ...] -> orders.
SELECT STRAIGHT_JOIN o.order_id, o.user_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.promise, o.points, o.award_config
FROM JSON_TABLE(?, '$[*]' COLUMNS (order_id BIGINT PATH '$' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN raffle_order_{table} AS o FORCE INDEX (PRIMARY)
    ON o.order_id = j.order_id
