-- [[order, user, request, activity, kind, chances, created_at_ms], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO recharge_order_{table} (order_id, user_id, request_id, activity_id, kind, chances, created_at_ms)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6
FROM c
