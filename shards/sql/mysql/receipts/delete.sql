-- (grant), ..., sorted. Void receipts stay. The form for several tables is used because only it takes an
-- index hint. Without the hint a small table is scanned, which waits for receipts of other lanes' batches.
DELETE r FROM stock_receipt AS r FORCE INDEX (PRIMARY) WHERE r.grant_id IN ({rows}) AND r.void = 0
