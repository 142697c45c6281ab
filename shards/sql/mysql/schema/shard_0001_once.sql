-- How often each stock server (1 to 15) was rebuilt, as far as this shard knows: a batch commits units of a
-- server only under the epoch of this row. Row 0 is for grants themselves and never changes.
CREATE TABLE IF NOT EXISTS stock_epoch (
    server TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    epoch  BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO stock_epoch (server, epoch)
VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0),
       (8, 0), (9, 0), (10, 0), (11, 0), (12, 0), (13, 0), (14, 0), (15, 0);

-- One row per batch (server 0) and one per server that it took units from. A void row forbids its batch.
-- units: [[activity, award, segment, count], ...]
CREATE TABLE IF NOT EXISTS stock_grant (
    server     TINYINT UNSIGNED NOT NULL,
    grant_id   BIGINT NOT NULL,
    void       TINYINT NOT NULL,
    epoch      BIGINT NOT NULL,
    units      MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    PRIMARY KEY (server, grant_id),
    KEY stock_grant_by_age (void, server, created_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Units of grants that were rolled up.
CREATE TABLE IF NOT EXISTS award_issued (
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    server      TINYINT UNSIGNED NOT NULL,
    segment     SMALLINT UNSIGNED NOT NULL,
    issued      BIGINT NOT NULL,
    PRIMARY KEY (activity_id, award_id, server, segment)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
