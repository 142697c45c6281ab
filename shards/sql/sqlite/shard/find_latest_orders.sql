-- [[user, activity]]; activity 0 means all. The newest first.
SELECT wanted.key, o.order_id, o.request_id, o.activity_id, o.version, o.ordinal, o.day, o.award_id,
       o.award_title, o.award_index, o.rule, o.stocked, o.created_at_ms,
       o.seq, o.asked
FROM json_each($1) AS wanted
CROSS JOIN raffle_order_{table} AS o
    ON o.user_id = wanted.value ->> 0
WHERE wanted.value ->> 1 IN (0, o.activity_id)
ORDER BY o.created_at_ms DESC, o.order_id DESC
LIMIT 100
