-- How users are spread; fixed at the first start.
CREATE TABLE IF NOT EXISTS slot_map (
    version INT UNSIGNED NOT NULL PRIMARY KEY,
    shards  SMALLINT UNSIGNED NOT NULL,
    tables  SMALLINT UNSIGNED NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Run numbers: a process that claims one builds ids from it that no other process builds.
CREATE TABLE IF NOT EXISTS id_run (
    only_row TINYINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    claimed  BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO id_run (only_row, claimed) VALUES (1, 0);

CREATE TABLE IF NOT EXISTS campaign (
    activity_id     BIGINT NOT NULL,
    version         INT UNSIGNED NOT NULL,
    file_text       MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    published_at_ms BIGINT NOT NULL,
    published_by    VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (activity_id, version)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Raised by every change of campaigns or stock: running servers poll it. Every writing transaction locks it.
CREATE TABLE IF NOT EXISTS revision (
    only_row TINYINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number   BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO revision (only_row, number) VALUES (1, 0);

-- A prize's total is the sum of the applied changes. A withdrawal waits with applied = NULL until the holder
-- of the stock has done it.
CREATE TABLE IF NOT EXISTS stock_operation (
    operation_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    activity_id  BIGINT NOT NULL,
    award_id     BIGINT NOT NULL,
    kind         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL CHECK (kind IN ('publish', 'add', 'withdraw')),
    units        BIGINT NOT NULL CHECK (units > 0),
    applied      BIGINT,
    who          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why          TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at_ms        BIGINT NOT NULL,
    KEY stock_operation_prize (activity_id, award_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The running servers' view of the stock, for people and for the audit.
CREATE TABLE IF NOT EXISTS stock_picture (
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    total       BIGINT NOT NULL,
    units_left  BIGINT NOT NULL,
    open_units  BIGINT NOT NULL,
    issued      BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (activity_id, award_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How often each stock server was rebuilt, and which run of the server has the units of that epoch.
CREATE TABLE IF NOT EXISTS stock_server (
    server TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    epoch  BIGINT NOT NULL,
    run_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT IGNORE INTO stock_server (server, epoch, run_id)
VALUES (1, 0, NULL), (2, 0, NULL), (3, 0, NULL), (4, 0, NULL), (5, 0, NULL),
       (6, 0, NULL), (7, 0, NULL), (8, 0, NULL), (9, 0, NULL), (10, 0, NULL),
       (11, 0, NULL), (12, 0, NULL), (13, 0, NULL), (14, 0, NULL), (15, 0, NULL);

-- How the stock is spread; fixed by the first migration.
CREATE TABLE IF NOT EXISTS stock_layout (
    only_row TINYINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    servers  TINYINT UNSIGNED NOT NULL,
    segments SMALLINT UNSIGNED NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Over how many servers and segments units are spread; fixed at the first start.
CREATE TABLE IF NOT EXISTS stock_layout (
    only_row TINYINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    servers  TINYINT UNSIGNED NOT NULL,
    segments SMALLINT UNSIGNED NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Each segment's server and its share of the prize's total.
CREATE TABLE IF NOT EXISTS stock_segment (
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    segment     SMALLINT UNSIGNED NOT NULL,
    server      TINYINT UNSIGNED NOT NULL,
    total       BIGINT NOT NULL,
    PRIMARY KEY (activity_id, award_id, segment)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Each server's share of an operation, and the epoch under which it was recorded.
CREATE TABLE IF NOT EXISTS stock_delivery (
    operation_id BIGINT NOT NULL,
    server       TINYINT UNSIGNED NOT NULL,
    epoch        BIGINT NOT NULL,
    units        BIGINT NULL,
    done         TINYINT NOT NULL,
    PRIMARY KEY (operation_id, server)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The present holder of each job. Leases only save work: a job is correct with two holders too.
CREATE TABLE IF NOT EXISTS job_lease (
    job        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    holder     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    expires_at DATETIME(3) NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Who changed what, and why.
CREATE TABLE IF NOT EXISTS audit_trail (
    entry_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    at_ms    BIGINT NOT NULL,
    who      VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    what     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    detail   TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why      TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
