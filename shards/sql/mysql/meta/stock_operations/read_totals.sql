SELECT activity_id, award_id, CAST(SUM(COALESCE(applied, 0)) AS SIGNED)
FROM stock_operation
GROUP BY activity_id, award_id
ORDER BY activity_id, award_id
