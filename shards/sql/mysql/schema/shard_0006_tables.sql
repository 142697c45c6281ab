-- A user's request ids, of all kinds of calls. A call for draws has the id of its first order: the others
-- follow, 1,024 apart, without a gap.
CREATE TABLE IF NOT EXISTS raffle_call_{table} (
    user_id       VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    request_id    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    kind          TINYINT UNSIGNED NOT NULL,
    activity_id   BIGINT NOT NULL,
    asked         INT UNSIGNED NOT NULL,
    first_id      BIGINT NOT NULL,
    made          SMALLINT UNSIGNED NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, request_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Chances that operators gave to users. Ids of one run ascend, so rows are appended.
CREATE TABLE IF NOT EXISTS recharge_order_{table} (
    order_id      BIGINT NOT NULL PRIMARY KEY,
    user_id       VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    request_id    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id   BIGINT NOT NULL,
    kind          VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    chances       INT UNSIGNED NOT NULL,
    created_at_ms BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- From here on a gateway of the version before commits nothing: it reads each batch by the key's old name. So
-- the orders that are converted next are complete. Waits for the running batches.
SET @change = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'raffle_order_{table}' AND index_name = 'raffle_order_request') > 0,
    'ALTER TABLE raffle_order_{table} RENAME KEY raffle_order_request TO raffle_order_to_convert',
    'DO 0');
PREPARE changing FROM @change;
EXECUTE changing;
DEALLOCATE PREPARE changing
