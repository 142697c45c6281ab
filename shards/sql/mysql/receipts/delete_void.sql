-- (grant), ..., sorted. As delete.sql, for void receipts.
DELETE r FROM stock_receipt AS r FORCE INDEX (PRIMARY) WHERE r.grant_id IN ({rows}) AND r.void = 1
