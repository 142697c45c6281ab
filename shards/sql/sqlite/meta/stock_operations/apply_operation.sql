-- [operation, applied]
UPDATE stock_operation SET applied = $1 ->> 1 WHERE operation_id = $1 ->> 0 AND applied IS NULL
