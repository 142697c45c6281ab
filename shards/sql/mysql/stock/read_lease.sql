-- [[job]]
SELECT l.holder
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    job VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN job_lease AS l ON l.job = j.job
