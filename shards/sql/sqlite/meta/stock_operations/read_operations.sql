-- [activity, kind, good, operation]: the next operations on an item after this one.
SELECT operation_id, kind, units, applied, who, why, at_ms
FROM stock_operation
WHERE activity_id = $1 ->> 0 AND good_kind = $1 ->> 1 AND good_id = $1 ->> 2 AND operation_id > $1 ->> 3
ORDER BY operation_id
LIMIT 100
