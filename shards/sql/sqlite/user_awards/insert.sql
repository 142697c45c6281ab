-- [[user, activity, award, given], ...]
WITH c AS MATERIALIZED (SELECT value AS row FROM json_each($1))
INSERT INTO user_award_{table} (user_id, activity_id, award_id, given)
SELECT row ->> 0, row ->> 1, row ->> 2, row ->> 3
FROM c
