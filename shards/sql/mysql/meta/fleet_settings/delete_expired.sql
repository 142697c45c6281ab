-- [[before_ms]]. Writers take turns, so it may scan.
DELETE s FROM fleet_setting AS s
JOIN JSON_TABLE(?, '$[*]' COLUMNS (before_ms BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
    ON s.expires_at_ms > 0 AND s.expires_at_ms < j.before_ms
