-- [activity, award, operation]: the next operations on a prize after this one.
SELECT operation_id, kind, units, applied, who, why, at_ms
FROM stock_operation
WHERE activity_id = $1 ->> 0 AND award_id = $1 ->> 1 AND operation_id > $1 ->> 2
ORDER BY operation_id
LIMIT 100
