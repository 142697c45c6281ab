-- [[servers, segments]]
INSERT INTO stock_layout (only_row, servers, segments)
SELECT 1, j.servers, j.segments
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    servers  INT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    segments INT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
