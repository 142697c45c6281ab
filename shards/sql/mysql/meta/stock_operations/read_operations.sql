-- [activity, kind, good, operation]: the next operations on an item after this one.
SELECT o.operation_id, o.kind, o.units, o.applied, o.who, o.why, o.at_ms
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id  BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    good_kind    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    good_id      BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    operation_id BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_operation AS o FORCE INDEX (stock_operation_item)
    ON o.activity_id = j.activity_id AND o.good_kind = j.good_kind AND o.good_id = j.good_id
    AND o.operation_id > j.operation_id
ORDER BY o.operation_id
LIMIT 100
