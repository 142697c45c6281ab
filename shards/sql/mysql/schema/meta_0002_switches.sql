-- How degrade switches are set; activity 0 stands for all, expiry 0 for never.
CREATE TABLE IF NOT EXISTS switch_setting (
    name          VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id   BIGINT NOT NULL,
    share         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    PRIMARY KEY (name, activity_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- All changes: who, why, before and after.
CREATE TABLE IF NOT EXISTS switch_change (
    change_id     BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at_ms         BIGINT NOT NULL,
    who           VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why           TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    name          VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id   BIGINT NOT NULL,
    before_share  VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    after_share   VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    expires_at_ms BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
