-- [[server], ...], sorted. Its form: see calls/lock_batch.sql.
SELECT STRAIGHT_JOIN s.epoch
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (server INT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS t
) AS j
JOIN stock_server AS s FORCE INDEX (PRIMARY) ON s.server = j.server
FOR UPDATE
