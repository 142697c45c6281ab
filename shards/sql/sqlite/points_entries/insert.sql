-- [[user, number, trade, activity, amount, balance, business_no, created_at_ms], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO points_entry_{table} (user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7
FROM c
