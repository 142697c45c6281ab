-- [[server]]
SELECT e.epoch
FROM JSON_TABLE(?, '$[*]' COLUMNS (server BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_epoch AS e FORCE INDEX (PRIMARY)
    ON e.server = j.server
