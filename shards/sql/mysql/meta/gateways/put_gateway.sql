-- [[name, instance, admin, version, revision, config_hash, overrides, failures, out_because, started_at_ms]]
INSERT INTO gateway (name, instance, admin, version, revision, config_hash, overrides, failures, out_because,
                     started_at_ms, seen_at)
SELECT j.name, j.instance, j.admin, j.version, j.revision, j.config_hash, j.overrides, j.failures, j.out_because,
       j.started_at_ms, NOW(3)
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    name          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    instance      VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    admin         VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    version       VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    revision      BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    config_hash   VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    overrides     VARCHAR(8192) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    failures      VARCHAR(8192) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    out_because   VARCHAR(2048) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR,
    started_at_ms BIGINT PATH '$[9]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
ON DUPLICATE KEY UPDATE instance = j.instance, admin = j.admin, version = j.version, revision = j.revision,
                        config_hash = j.config_hash, overrides = j.overrides, failures = j.failures,
                        out_because = j.out_because, started_at_ms = j.started_at_ms, seen_at = NOW(3)
