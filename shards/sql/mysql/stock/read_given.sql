-- [[operation]]. The units that servers gave to a withdrawal.
SELECT d.server, d.units
FROM JSON_TABLE(?, '$[*]' COLUMNS (operation_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN stock_delivery AS d ON d.operation_id = j.operation_id
