-- [[user, activity, day, streak], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO sign_in_{table} (user_id, activity_id, day, streak)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3
FROM c
