-- [[server]]
SELECT s.epoch, coalesce(s.run_id, '')
FROM JSON_TABLE(?, '$[*]' COLUMNS (server INT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
JOIN stock_server AS s ON s.server = j.server
