-- [[user, activity, used, today, day_before, at_ms]]
INSERT INTO label_repair_{table} (user_id, activity_id, used, today, day_before, at_ms)
SELECT j.user_id, j.activity_id, j.used, j.today, j.day_before, j.at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    used        BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    today       BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    day_before  BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    at_ms       BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
