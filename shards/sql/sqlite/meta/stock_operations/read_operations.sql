-- [activity, award]
SELECT operation_id, kind, units, applied, who, why, at_ms
FROM stock_operation
WHERE activity_id = $1 ->> 0 AND award_id = $1 ->> 1
ORDER BY operation_id
