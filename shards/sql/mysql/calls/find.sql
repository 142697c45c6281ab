-- [[user, request], ...]
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1,
       c.user_id, c.request_id, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    k          FOR ORDINALITY,
    user_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    request_id VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id AND c.request_id = j.request_id
