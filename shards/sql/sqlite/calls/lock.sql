-- [[user, request]] -> the id of the call's first row. The whole file is locked already: earlier writers
-- have ended.
SELECT c.first_id
FROM json_each($1) AS wanted
CROSS JOIN raffle_call_{table} AS c
    ON c.user_id = wanted.value ->> 0 AND c.request_id = wanted.value ->> 1
