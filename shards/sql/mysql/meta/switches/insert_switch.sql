-- [[name, activity, share, expires_at_ms]]
INSERT INTO switch_setting (name, activity_id, share, expires_at_ms)
SELECT j.name, j.activity_id, j.share, j.expires_at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    name          VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    share         VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    expires_at_ms BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
