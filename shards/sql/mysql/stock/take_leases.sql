-- [[job, holder, ttl_ms]]. The database's clock decides. The holder of a lease may prolong it.
INSERT INTO job_lease (job, holder, expires_at)
SELECT j.job, j.holder, NOW(3) + INTERVAL (j.ttl_ms * 1000) MICROSECOND
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    job    VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    holder VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    ttl_ms BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
ON DUPLICATE KEY UPDATE
    job_lease.holder = IF(job_lease.expires_at < NOW(3), j.holder, job_lease.holder),
    job_lease.expires_at = IF(job_lease.holder = j.holder, NOW(3) + INTERVAL (j.ttl_ms * 1000) MICROSECOND, job_lease.expires_at)
