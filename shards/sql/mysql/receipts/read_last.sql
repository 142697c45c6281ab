SELECT COALESCE(MAX(grant_id), 0) FROM stock_receipt
