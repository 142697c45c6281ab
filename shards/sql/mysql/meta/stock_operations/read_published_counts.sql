SELECT activity_id, award_id, units
FROM stock_operation
WHERE kind = 'publish'
ORDER BY activity_id, award_id
