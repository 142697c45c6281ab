-- [[user, activity, award, given], ...]
WITH c AS MATERIALIZED (
    SELECT value ->> 0 AS user_id, value ->> 1 AS activity_id, value ->> 2 AS award_id, value ->> 3 AS given
    FROM json_each($1)
)
UPDATE user_award_{table} AS a
SET given = c.given
FROM c
WHERE a.user_id = c.user_id AND a.activity_id = c.activity_id AND a.award_id = c.award_id
