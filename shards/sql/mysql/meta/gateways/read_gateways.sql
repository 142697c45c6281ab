-- The age of each report is by this database's clock, which wrote the time.
SELECT name, instance, admin, version, revision, config_hash, overrides, failures, out_because, started_at_ms,
       CAST(GREATEST(0, TIMESTAMPDIFF(MICROSECOND, seen_at, NOW(3)) DIV 1000) AS SIGNED)
FROM gateway
ORDER BY name
LIMIT 1000
