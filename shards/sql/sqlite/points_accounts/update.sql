-- [[user, balance, entries, frozen], ...]
WITH c AS MATERIALIZED (
    SELECT value ->> 0 AS user_id, value AS row FROM json_each($1)
)
UPDATE points_account_{table} AS a
SET balance = c.row ->> 1, entries = c.row ->> 2, frozen = c.row ->> 3
FROM c
WHERE a.user_id = c.user_id
