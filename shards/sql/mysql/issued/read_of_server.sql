-- [[server]]. As read.sql, of one server and by segment.
SELECT i.activity_id, i.good_kind, i.good_id, CAST(i.segment AS SIGNED), CAST(SUM(i.issued) AS SIGNED)
FROM JSON_TABLE(?, '$[*]' COLUMNS (server BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN stock_issued AS i FORCE INDEX (PRIMARY) ON i.server = j.server
GROUP BY i.activity_id, i.good_kind, i.good_id, i.segment
ORDER BY i.activity_id, i.good_kind, i.good_id, i.segment
