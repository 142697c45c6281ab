-- [[operation, server]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    operation_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    server       INT    PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_delivery AS d FORCE INDEX (PRIMARY)
    ON d.operation_id = j.operation_id AND d.server = j.server
SET d.done = 1
