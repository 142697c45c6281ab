-- [[kind, target, value, who, why, set_at_ms, expires_at_ms, revision]]
INSERT INTO fleet_setting (kind, target, value_json, who, why, set_at_ms, expires_at_ms, revision)
SELECT j.kind, j.target, j.value_json, j.who, j.why, j.set_at_ms, j.expires_at_ms, j.revision
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    kind          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    target        VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    value_json    VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    who           VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    why           VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    set_at_ms     BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    expires_at_ms BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    revision      BIGINT PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
ON DUPLICATE KEY UPDATE value_json = j.value_json, who = j.who, why = j.why, set_at_ms = j.set_at_ms,
                        expires_at_ms = j.expires_at_ms, revision = j.revision
