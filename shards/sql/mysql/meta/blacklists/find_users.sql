-- [[activity, user]]: those of these users that are listed.
SELECT b.user_id
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    user_id     VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN blacklist_user AS b ON b.activity_id = j.activity_id AND b.user_id = j.user_id
