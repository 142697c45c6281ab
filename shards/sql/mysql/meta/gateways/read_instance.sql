-- [[name]] -> the instance of the row, and how many milliseconds ago it reported.
SELECT g.instance, CAST(GREATEST(0, TIMESTAMPDIFF(MICROSECOND, g.seen_at, NOW(3)) DIV 1000) AS SIGNED)
FROM gateway AS g
JOIN JSON_TABLE(?, '$[*]' COLUMNS (name VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
    ON g.name = j.name
