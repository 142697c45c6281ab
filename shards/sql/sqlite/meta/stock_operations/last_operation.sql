SELECT coalesce(max(operation_id), 0) FROM stock_operation
