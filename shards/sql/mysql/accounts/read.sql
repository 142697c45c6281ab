-- [[user, activity], ...]
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, a.granted, a.used, a.day, a.day_used, a.month_used
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k           FOR ORDINALITY,
    user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN raffle_account_{table} AS a FORCE INDEX (PRIMARY)
    ON a.user_id = j.user_id AND a.activity_id = j.activity_id
