-- [[server]]
SELECT s.activity_id, s.good_kind, s.good_id, s.segment, s.total
FROM JSON_TABLE(?, '$[*]' COLUMNS (server INT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN stock_segment AS s ON s.server = j.server
