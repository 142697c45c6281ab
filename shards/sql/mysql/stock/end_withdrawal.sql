-- [[operation]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (operation_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_operation AS o FORCE INDEX (PRIMARY)
    ON o.operation_id = j.operation_id AND o.applied IS NULL
SET o.applied = -(
    SELECT CAST(coalesce(sum(d.units), 0) AS SIGNED) FROM stock_delivery AS d WHERE d.operation_id = o.operation_id
)
