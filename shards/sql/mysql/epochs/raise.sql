-- [[server, epoch]]. Waits for the batches that hold the epoch; never lowers it.
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    server BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    epoch  BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_epoch AS e FORCE INDEX (PRIMARY)
    ON e.server = j.server AND e.epoch < j.epoch
SET e.epoch = j.epoch
