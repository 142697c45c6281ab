-- Both tables of a pair as one ordered stream: two scans cannot take turns on one connection, and
-- two connections do not see one moment. NULL sorts first, so each account precedes its orders.
-- Casts, because a union of NULL and unsigned columns is a DECIMAL.
SELECT user_id, activity_id, CAST(NULL AS SIGNED) AS ordinal, CAST(NULL AS SIGNED) AS order_id,
       CAST(granted AS SIGNED) AS granted, CAST(used AS SIGNED) AS used, CAST(day AS SIGNED) AS day,
       CAST(day_used AS SIGNED) AS day_used, CAST(month_used AS SIGNED) AS month_used,
       CAST(NULL AS SIGNED) AS version, CAST(NULL AS SIGNED) AS award_id, NULL AS award_title,
       CAST(NULL AS SIGNED) AS award_index, NULL AS rule, CAST(NULL AS SIGNED) AS stocked,
       CAST(NULL AS SIGNED) AS created_at_ms, NULL AS request_id,
       CAST(NULL AS SIGNED) AS seq, CAST(NULL AS SIGNED) AS asked
FROM raffle_account_{table}
UNION ALL
SELECT user_id, activity_id, CAST(ordinal AS SIGNED), CAST(order_id AS SIGNED),
       NULL, NULL, CAST(day AS SIGNED), NULL, NULL,
       CAST(version AS SIGNED), CAST(award_id AS SIGNED), award_title,
       CAST(award_index AS SIGNED), rule, CAST(stocked AS SIGNED), CAST(created_at_ms AS SIGNED), request_id,
       CAST(seq AS SIGNED), CAST(asked AS SIGNED)
FROM raffle_order_{table}
ORDER BY user_id, activity_id, ordinal, order_id
