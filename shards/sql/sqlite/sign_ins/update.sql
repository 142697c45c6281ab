-- [[user, activity, day, streak], ...]
WITH c AS MATERIALIZED (
    SELECT value ->> 0 AS user_id, value ->> 1 AS activity_id, value AS row FROM json_each($1)
)
UPDATE sign_in_{table} AS a
SET day = c.row ->> 2, streak = c.row ->> 3
FROM c
WHERE a.user_id = c.user_id AND a.activity_id = c.activity_id
