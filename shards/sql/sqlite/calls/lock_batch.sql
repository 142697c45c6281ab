-- [[user, activity, request], ...] -> the account, the call that was made under the request id; NULL when
-- there is none. The whole file is locked already: SQLite has one writer.
WITH wanted AS MATERIALIZED (
    SELECT key, value ->> 0 AS user_id, value ->> 1 AS activity_id, value ->> 2 AS request_id FROM json_each($1)
)
SELECT wanted.key, a.granted, a.used, a.day, a.day_used, a.month_used,
       c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms
FROM wanted
LEFT JOIN raffle_account_{table} AS a
    ON a.user_id = wanted.user_id AND a.activity_id = wanted.activity_id
LEFT JOIN raffle_call_{table} AS c
    ON c.user_id = wanted.user_id AND c.request_id = wanted.request_id
