SELECT operation_id, activity_id, award_id, units
FROM stock_operation
WHERE applied IS NULL
ORDER BY operation_id
