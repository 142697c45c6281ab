-- [[user, activity, granted, used, day, day_used, month_used], ...] A row is parsed once (MATERIALIZED), not
-- once per column.
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3, row ->> 4, row ->> 5, row ->> 6
FROM c
