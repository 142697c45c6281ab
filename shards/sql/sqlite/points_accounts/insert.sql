-- [[user, balance, entries, frozen], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO points_account_{table} (user_id, balance, entries, frozen)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3
FROM c
