-- [[order, user, request, activity, kind, chances, created_at_ms, points, sku, behaviour,
-- business_no, streak], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO recharge_order_{table} (order_id, user_id, request_id, activity_id, kind, chances, created_at_ms,
                                    points, sku, behaviour, business_no, streak)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6,
       row ->> 7, row ->> 8, row ->> 9, row ->> 10, row ->> 11
FROM c
