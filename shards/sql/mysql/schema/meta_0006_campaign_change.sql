-- What operators did to activities beside publishing. For a rollback: the version that it made, and the one that it
-- brought back; else 0.
CREATE TABLE IF NOT EXISTS campaign_change (
    change_id   BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    activity_id BIGINT NOT NULL,
    kind        VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    version     INT UNSIGNED NOT NULL,
    of_version  INT UNSIGNED NOT NULL,
    who         VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why         TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at_ms       BIGINT NOT NULL,
    KEY campaign_change_activity (activity_id, change_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
