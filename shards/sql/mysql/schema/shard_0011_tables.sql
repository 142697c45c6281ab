-- How many of an award a user was given, where the award has a limit for one user. Prizes that were given before it
-- had one are not counted.
CREATE TABLE IF NOT EXISTS user_award_{table} (
    user_id     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    activity_id BIGINT NOT NULL,
    award_id    BIGINT NOT NULL,
    given       INT UNSIGNED NOT NULL,
    PRIMARY KEY (user_id, activity_id, award_id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
