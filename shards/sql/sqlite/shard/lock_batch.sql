-- [[user, activity, request], ...] -> the account, the order that was made under the request id; NULL
-- where there is none. The whole file is locked already: SQLite has one writer.
WITH wanted AS MATERIALIZED (
    SELECT key, value ->> 0 AS user_id, value ->> 1 AS activity_id, value ->> 2 AS request_id FROM json_each($1)
)
SELECT wanted.key, a.granted, a.used, a.day, a.day_used, a.month_used,
       o.order_id, o.request_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.created_at_ms,
       o.seq, o.asked
FROM wanted
LEFT JOIN raffle_account_{table} AS a
    ON a.user_id = wanted.user_id AND a.activity_id = wanted.activity_id
LEFT JOIN raffle_order_{table} AS o
    ON o.user_id = wanted.user_id AND o.request_id = wanted.request_id
