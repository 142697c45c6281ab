-- [[at_ms, who, what, detail, why]]
INSERT INTO audit_trail (at_ms, who, what, detail, why)
SELECT j.at_ms, j.who, j.what, j.detail, j.why
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    at_ms  BIGINT        PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    who    VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    what   VARCHAR(64)   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    detail VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    why    VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
