SELECT activity_id, award_id, sum(coalesce(applied, 0))
FROM stock_operation
GROUP BY activity_id, award_id
ORDER BY activity_id, award_id
