-- [[max_age_s]], by the clock of this database alone. Looked up without locks, so that no batch
-- under way is waited for.
DELETE g
FROM (
    SELECT server, grant_id
    FROM stock_grant FORCE INDEX (stock_grant_by_age)
    WHERE void = 1
      AND created_at < NOW(3) - INTERVAL CAST(JSON_VALUE(CAST(? AS CHAR CHARACTER SET utf8mb4), '$[0][0]') AS SIGNED) SECOND
    LIMIT 1000
) AS old
STRAIGHT_JOIN stock_grant AS g FORCE INDEX (PRIMARY)
    ON g.server = old.server AND g.grant_id = old.grant_id
