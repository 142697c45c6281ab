-- [[activity, user, page]]
INSERT INTO blacklist_user (activity_id, user_id, page)
SELECT j.activity_id, j.user_id, j.page
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    user_id     VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    page        BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
