-- Accounts whose day label was ahead of the clock and was set back. Of the orders up to number `used`,
-- those labelled later than `today` do not count for the label any more.
CREATE TABLE IF NOT EXISTS label_repair_{table} (
    user_id     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id BIGINT NOT NULL,
    used        INT UNSIGNED NOT NULL,
    today       INT UNSIGNED NOT NULL,
    day_before  INT UNSIGNED NOT NULL,
    at_ms       BIGINT NOT NULL,
    PRIMARY KEY (user_id, activity_id, used)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
