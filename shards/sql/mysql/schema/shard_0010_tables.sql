-- A user's points: one account over all activities, in hundredths. `entries` is the number of the ledger's last
-- entry.
CREATE TABLE IF NOT EXISTS points_account_{table} (
    user_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
    balance BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    frozen  TINYINT UNSIGNED NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The ledger. A user's entries are numbered from 1 without a gap; `balance` is what was there after the entry.
CREATE TABLE IF NOT EXISTS points_entry_{table} (
    user_id       VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    number        BIGINT NOT NULL,
    trade         VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id   BIGINT NOT NULL,
    amount        BIGINT NOT NULL,
    balance       BIGINT NOT NULL,
    business_no   VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, number)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The last day on which a user signed in, in the activity's time zone, and how many days in a row.
CREATE TABLE IF NOT EXISTS sign_in_{table} (
    user_id     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id BIGINT NOT NULL,
    day         INT UNSIGNED NOT NULL,
    streak      INT UNSIGNED NOT NULL,
    PRIMARY KEY (user_id, activity_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What an order promises; 0 in orders from before. Both tables get their columns at once, without being copied.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}' AND column_name = 'promise') = 0,
    'ALTER TABLE raffle_order_{table} ADD COLUMN promise TINYINT UNSIGNED NOT NULL DEFAULT 0, ADD COLUMN points BIGINT NOT NULL DEFAULT 0, ADD COLUMN award_config VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT ''''',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing;

SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'recharge_order_{table}' AND column_name = 'sku') = 0,
    'ALTER TABLE recharge_order_{table} ADD COLUMN points BIGINT NOT NULL DEFAULT 0, ADD COLUMN sku BIGINT NOT NULL DEFAULT 0, ADD COLUMN behaviour VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '''', ADD COLUMN business_no VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '''', ADD COLUMN streak INT UNSIGNED NOT NULL DEFAULT 0',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
