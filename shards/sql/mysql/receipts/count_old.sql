-- [[min_age_ms]]
SELECT COUNT(*)
FROM JSON_TABLE(?, '$[*]' COLUMNS (min_age_ms BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_receipt AS r
    ON r.created_at < NOW(3) - INTERVAL j.min_age_ms * 1000 MICROSECOND
WHERE r.void = 0
