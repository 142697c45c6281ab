-- The oldest withdrawals that wait. A later round does those that do not fit.
SELECT operation_id, activity_id, good_kind, good_id, units
FROM stock_operation
WHERE applied IS NULL
ORDER BY operation_id
LIMIT 1000
