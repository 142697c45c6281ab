-- [[name, instance, admin, version, revision, config_hash, overrides, failures, out_because, started_at_ms]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
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
STRAIGHT_JOIN gateway AS g FORCE INDEX (PRIMARY)
    ON g.name = j.name AND g.instance = j.instance
SET g.admin = j.admin, g.version = j.version, g.revision = j.revision, g.config_hash = j.config_hash,
    g.overrides = j.overrides, g.failures = j.failures, g.out_because = j.out_because, g.seen_at = NOW(3)
