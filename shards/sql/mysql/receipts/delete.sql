-- (grant), ..., sorted. Void ones stay. In the form for several tables, because only that takes an index
-- hint. Without one a small table would be scanned, and a scan waits for the receipts of other lanes'
-- batches.
DELETE r FROM stock_receipt AS r FORCE INDEX (PRIMARY) WHERE r.grant_id IN ({rows}) AND r.void = 0
