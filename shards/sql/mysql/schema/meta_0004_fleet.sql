-- Settings that operators made for all gateways, without switches; the value is JSON, expiry 0 is never.
CREATE TABLE IF NOT EXISTS fleet_setting (
    kind          VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    target        VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    value_json    VARCHAR(2048) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    who           VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why           TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    set_at_ms     BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    revision      BIGINT NOT NULL,
    PRIMARY KEY (kind, target)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The latest report of each gateway. The time is by this database's clock.
CREATE TABLE IF NOT EXISTS gateway (
    name          VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    instance      VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    admin         VARCHAR(80) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version       VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    revision      BIGINT NOT NULL,
    config_hash   VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    overrides     TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    failures      TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    out_because   VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    started_at_ms BIGINT NOT NULL,
    seen_at       TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
