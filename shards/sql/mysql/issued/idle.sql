-- [[idle_s]], by this database's clock -> server, activity, kind, good, segment, run, lane of counters that
-- have not changed for this time. Read without locks, so it does not wait for batches.
SELECT CAST(i.server AS SIGNED), i.activity_id, i.good_kind, i.good_id, CAST(i.segment AS SIGNED), i.run,
       CAST(i.lane AS SIGNED)
FROM JSON_TABLE(?, '$[*]' COLUMNS (idle_s BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_issued AS i
    ON i.touched_at < NOW(3) - INTERVAL j.idle_s SECOND
WHERE i.run > 0
ORDER BY i.server, i.activity_id, i.good_kind, i.good_id, i.segment, i.run, i.lane
LIMIT 1000
