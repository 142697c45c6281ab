-- Runs for each table number of a shard; {table} is that number.
CREATE TABLE IF NOT EXISTS raffle_account_{table} (
    user_id     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id BIGINT NOT NULL,
    granted     INT UNSIGNED NOT NULL,
    used        INT UNSIGNED NOT NULL,
    day         INT UNSIGNED NOT NULL,
    day_used    INT UNSIGNED NOT NULL,
    month_used  INT UNSIGNED NOT NULL,
    PRIMARY KEY (user_id, activity_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Order ids of one run ascend, so rows are appended. One request id, one order, in all activities.
CREATE TABLE IF NOT EXISTS raffle_order_{table} (
    order_id      BIGINT NOT NULL PRIMARY KEY,
    user_id       VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    request_id    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id   BIGINT NOT NULL,
    version       INT UNSIGNED NOT NULL,
    ordinal       INT UNSIGNED NOT NULL,
    day           INT UNSIGNED NOT NULL,
    award_id      BIGINT NOT NULL,
    award_title   VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    award_index   INT UNSIGNED NOT NULL,
    rule          VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    stocked       TINYINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE KEY raffle_order_request (user_id, request_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
