-- [[max_age_s]], by the clock of this database alone. Looked up without locks, so that no batch under way
-- is waited for.
DELETE r
FROM (
    SELECT grant_id
    FROM stock_receipt
    WHERE void = 1
      AND created_at < NOW(3) - INTERVAL CAST(JSON_VALUE(CAST(? AS CHAR CHARACTER SET utf8mb4), '$[0][0]') AS SIGNED) SECOND
    ORDER BY grant_id
    LIMIT 1000
) AS old
STRAIGHT_JOIN stock_receipt AS r FORCE INDEX (PRIMARY)
    ON r.grant_id = old.grant_id
