-- [[user, request], ...], sorted: calls that this transaction has inserted. (A list of pairs in place of the join
-- would be scanned for in a table of a few rows, which waits for the calls of other transactions.)
DELETE c
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    user_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    request_id VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id AND c.request_id = j.request_id
