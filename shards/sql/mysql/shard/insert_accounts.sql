-- [[user, activity, granted, used, day, day_used, month_used], ...], sorted
INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used)
SELECT j.user_id, j.activity_id, j.granted, j.used, j.day, j.day_used, j.month_used
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    granted     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    used        BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    day         BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    day_used    BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    month_used  BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
