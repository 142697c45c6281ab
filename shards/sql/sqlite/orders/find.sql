-- [[user, order]] -> the order's call, and the order. The order is looked up first, then its call in the
-- user's range of the key of calls. Ids of a call are 1,024 apart.
SELECT c.user_id, c.request_id, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms,
       o.order_id, o.user_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.promise, o.points, o.award_config
FROM json_each($1) AS wanted
CROSS JOIN raffle_order_{table} AS o
    ON o.order_id = wanted.value ->> 1 AND o.user_id = wanted.value ->> 0
CROSS JOIN raffle_call_{table} AS c
    ON c.user_id = o.user_id
WHERE c.kind = 1 AND o.order_id >= c.first_id AND o.order_id < c.first_id + 1024 * c.made
