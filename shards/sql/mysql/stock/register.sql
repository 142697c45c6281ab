-- [[server, epoch, run_id]]. Changes nothing if the epoch was raised meanwhile.
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    server INT         PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    epoch  BIGINT      PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    run_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_server AS s FORCE INDEX (PRIMARY)
    ON s.server = j.server AND s.epoch = j.epoch
SET s.run_id = j.run_id
