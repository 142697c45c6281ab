SELECT activity_id, award_id, CAST(SUM(units) AS SIGNED)
FROM stock_operation
WHERE applied IS NULL
GROUP BY activity_id, award_id
ORDER BY activity_id, award_id
