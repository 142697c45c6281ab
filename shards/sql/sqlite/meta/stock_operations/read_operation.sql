-- [operation]
SELECT applied FROM stock_operation WHERE operation_id = $1 ->> 0
