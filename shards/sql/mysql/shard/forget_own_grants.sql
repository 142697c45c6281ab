-- [[max_age_s]], by the clock of this database alone. As forget_void_grants.
DELETE g
FROM (
    SELECT server, grant_id
    FROM stock_grant FORCE INDEX (stock_grant_by_age)
    WHERE void = 0 AND server = 0
      AND created_at < NOW(3) - INTERVAL CAST(JSON_VALUE(CAST(? AS CHAR CHARACTER SET utf8mb4), '$[0][0]') AS SIGNED) SECOND
    LIMIT 1000
) AS old
STRAIGHT_JOIN stock_grant AS g FORCE INDEX (PRIMARY)
    ON g.server = old.server AND g.grant_id = old.grant_id
