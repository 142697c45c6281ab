-- [[order, user, request, activity, version, ordinal, day, award, title, index, rule, stocked, created_at_ms], ...]
INSERT INTO raffle_order_{table} (order_id, user_id, request_id, activity_id, version, ordinal, day,
                                  award_id, award_title, award_index, rule, stocked, created_at_ms)
SELECT j.order_id, j.user_id, j.request_id, j.activity_id, j.version, j.ordinal, j.day,
       j.award_id, j.award_title, j.award_index, j.rule, j.stocked, j.created_at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    order_id      BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    user_id       VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    request_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    activity_id   BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    version       BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    ordinal       BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    day           BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    award_id      BIGINT PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    award_title   VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR,
    award_index   BIGINT PATH '$[9]' ERROR ON EMPTY ERROR ON ERROR,
    rule          VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[10]' ERROR ON EMPTY ERROR ON ERROR,
    stocked       BIGINT PATH '$[11]' ERROR ON EMPTY ERROR ON ERROR,
    created_at_ms BIGINT PATH '$[12]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
