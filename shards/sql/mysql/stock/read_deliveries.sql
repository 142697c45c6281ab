-- [[server]]. Additions that were not delivered to the server yet.
SELECT d.operation_id, d.epoch, o.activity_id, o.good_kind, o.good_id, o.units
FROM JSON_TABLE(?, '$[*]' COLUMNS (server INT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN stock_delivery AS d ON d.server = j.server AND d.done = 0
JOIN stock_operation AS o ON o.operation_id = d.operation_id
ORDER BY d.operation_id
LIMIT 1000
