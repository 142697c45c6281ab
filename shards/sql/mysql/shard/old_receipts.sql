-- [[after, min_age_ms]], by the clock of this database alone -> grant, units of committed ones, by grant.
SELECT r.grant_id, r.units
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    after_id   BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    min_age_ms BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_receipt AS r FORCE INDEX (PRIMARY)
    ON r.grant_id > j.after_id
WHERE r.void = 0 AND r.created_at < NOW(3) - INTERVAL j.min_age_ms * 1000 MICROSECOND
ORDER BY r.grant_id
LIMIT 1000
