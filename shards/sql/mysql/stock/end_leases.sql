-- [[job, holder]]. The next process that asks gets the lease at once.
UPDATE job_lease AS l
JOIN JSON_TABLE(?, '$[*]' COLUMNS (
    job    VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    holder VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j ON l.job = j.job AND l.holder = j.holder
SET l.expires_at = NOW(3) - INTERVAL 1 SECOND
