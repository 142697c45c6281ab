-- [[age_ms]]: deletes the rows of gateways that have not reported for this long.
DELETE g FROM gateway AS g
JOIN JSON_TABLE(?, '$[*]' COLUMNS (age_ms BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
    ON g.seen_at < NOW(3) - INTERVAL (j.age_ms * 1000) MICROSECOND
