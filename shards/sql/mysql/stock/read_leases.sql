-- [[job]] -> job, its holder, the ms left by the database's clock. Leases that have ended are left out.
SELECT l.job, l.holder, TIMESTAMPDIFF(MICROSECOND, NOW(3), l.expires_at) DIV 1000
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    job VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN job_lease AS l ON l.job = j.job
WHERE l.expires_at > NOW(3)
