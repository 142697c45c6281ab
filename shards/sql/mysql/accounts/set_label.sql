-- [[user, activity, day, day_used, month_used]]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    day         BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    day_used    BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    month_used  BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN raffle_account_{table} AS a FORCE INDEX (PRIMARY)
    ON a.user_id = j.user_id AND a.activity_id = j.activity_id
SET a.day = j.day, a.day_used = j.day_used, a.month_used = j.month_used
