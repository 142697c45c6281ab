SELECT coalesce(max(grant_id), 0) FROM stock_grant
