-- [[activity, changes, last_removal, pages, page_users, users, bytes, who, why, at_ms]]
INSERT INTO blacklist (activity_id, changes, last_removal, pages, page_users, users, bytes, who, why, at_ms)
SELECT j.activity_id, j.changes, j.last_removal, j.pages, j.page_users, j.users, j.bytes, j.who, j.why, j.at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id  BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    changes      BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    last_removal BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    pages        BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    page_users   BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    users        BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    bytes        BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    who          VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    why          VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR,
    at_ms        BIGINT PATH '$[9]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
ON DUPLICATE KEY UPDATE changes = j.changes, last_removal = j.last_removal, pages = j.pages,
                        page_users = j.page_users, users = j.users, bytes = j.bytes, who = j.who, why = j.why,
                        at_ms = j.at_ms
