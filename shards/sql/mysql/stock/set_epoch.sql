-- [[server, epoch]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    server INT    PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    epoch  BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_server AS s FORCE INDEX (PRIMARY)
    ON s.server = j.server
SET s.epoch = j.epoch
