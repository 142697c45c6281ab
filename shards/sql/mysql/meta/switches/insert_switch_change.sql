-- [[at_ms, who, why, name, activity, before, after, expires_at_ms]]
INSERT INTO switch_change (at_ms, who, why, name, activity_id, before_share, after_share, expires_at_ms)
SELECT j.at_ms, j.who, j.why, j.name, j.activity_id, j.before_share, j.after_share, j.expires_at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    at_ms         BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    who           VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    why           VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    name          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id   BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    before_share  VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    after_share   VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    expires_at_ms BIGINT PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
