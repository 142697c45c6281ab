-- [[user, activity, day, streak]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    day         BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    streak      BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN sign_in_{table} AS a FORCE INDEX (PRIMARY)
    ON a.user_id = j.user_id AND a.activity_id = j.activity_id
SET a.day = j.day, a.streak = j.streak
