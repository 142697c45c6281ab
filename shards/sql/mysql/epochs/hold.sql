-- (server), ... -> server, epoch. The shared lock keeps the epochs until the commit. Lanes share it, so they
-- do not wait for each other. Raising an epoch waits for them. FORCE INDEX: as in calls/lock_batch.sql.
SELECT server, epoch FROM stock_epoch FORCE INDEX (PRIMARY) WHERE server IN ({rows}) LOCK IN SHARE MODE
