SELECT activity_id, award_id, CAST(SUM(issued) AS SIGNED)
FROM stock_issued
GROUP BY activity_id, award_id
ORDER BY activity_id, award_id
