SELECT activity_id, good_kind, good_id, issued FROM stock_issued
