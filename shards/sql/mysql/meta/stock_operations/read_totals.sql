SELECT activity_id, good_kind, good_id, CAST(SUM(COALESCE(applied, 0)) AS SIGNED)
FROM stock_operation
GROUP BY activity_id, good_kind, good_id
ORDER BY activity_id, good_kind, good_id
