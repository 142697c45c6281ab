-- [[server, min_age_ms]], by the clock of this database alone.
SELECT g.grant_id, g.epoch, g.units
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    server     BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    min_age_ms BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_grant AS g FORCE INDEX (stock_grant_by_age)
    ON g.void = 0 AND g.server = j.server
WHERE g.created_at < NOW(3) - INTERVAL j.min_age_ms * 1000 MICROSECOND
ORDER BY g.grant_id
LIMIT 1000
