-- [operation, applied]
UPDATE JSON_TABLE(?, '$' COLUMNS (
    operation_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    applied      BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_operation AS o FORCE INDEX (PRIMARY)
    ON o.operation_id = j.operation_id AND o.applied IS NULL
SET o.applied = j.applied
