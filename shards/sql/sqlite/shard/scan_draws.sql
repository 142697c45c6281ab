-- Both tables of a pair as one ordered stream: two scans cannot take turns on one connection, and
-- two connections do not see one moment. NULL sorts first, so each account precedes its orders.
SELECT user_id, activity_id, NULL AS ordinal, NULL AS order_id, granted, used, day, day_used, month_used,
       NULL AS version, NULL AS award_id, NULL AS award_title, NULL AS award_index, NULL AS rule,
       NULL AS stocked, NULL AS created_at_ms, NULL AS request_id, NULL AS seq, NULL AS asked
FROM raffle_account_{table}
UNION ALL
SELECT user_id, activity_id, ordinal, order_id, NULL, NULL, day, NULL, NULL,
       version, award_id, award_title, award_index, rule, stocked, created_at_ms, request_id, seq, asked
FROM raffle_order_{table}
ORDER BY user_id, activity_id, ordinal, order_id
