-- (server), ... -> server, epoch; the shared lock keeps the epochs until the commit. Lanes share it, so they
-- do not wait for each other; a transaction that raises an epoch waits for them. FORCE INDEX as in
-- lock_batch.
SELECT server, epoch FROM stock_epoch FORCE INDEX (PRIMARY) WHERE server IN ({rows}) LOCK IN SHARE MODE
