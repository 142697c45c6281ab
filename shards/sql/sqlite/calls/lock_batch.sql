-- [[user, request], ...] -> index, the record of the call that was made under the request id. The whole file is
-- locked already: SQLite has one writer.
SELECT wanted.key, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms
FROM json_each($1) AS wanted
CROSS JOIN raffle_call_{table} AS c
    ON c.user_id = wanted.value ->> 0 AND c.request_id = wanted.value ->> 1
