-- [[user, request, kind, activity, asked, first, made, created_at_ms], ...] A row is parsed once
-- (MATERIALIZED), not once per column.
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7
FROM c
