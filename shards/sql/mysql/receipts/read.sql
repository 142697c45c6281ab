-- [[grant]] -> void, units
SELECT r.void, r.units
FROM JSON_TABLE(?, '$[*]' COLUMNS (grant_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_receipt AS r FORCE INDEX (PRIMARY)
    ON r.grant_id = j.grant_id
