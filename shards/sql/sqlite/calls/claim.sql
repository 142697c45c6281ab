-- As insert.sql: SQLite has one writer, so no call waits for another.
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6, row ->> 7
FROM c
