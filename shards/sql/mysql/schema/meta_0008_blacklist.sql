-- Blacklists that operators keep beside the campaign files: of each the users, in pages, and who changed it last.
CREATE TABLE IF NOT EXISTS blacklist (
    activity_id  BIGINT NOT NULL PRIMARY KEY,
    changes      BIGINT NOT NULL,
    last_removal BIGINT NOT NULL,
    pages        BIGINT NOT NULL,
    page_users   BIGINT NOT NULL,
    users        BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    who          VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    why          TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    at_ms        BIGINT NOT NULL
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS blacklist_user (
    activity_id BIGINT NOT NULL,
    user_id     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    page        BIGINT NOT NULL,
    PRIMARY KEY (activity_id, user_id),
    KEY blacklist_user_page (activity_id, page)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
