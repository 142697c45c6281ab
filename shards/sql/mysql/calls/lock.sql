-- [[user, request]] -> the id of the call's first row, if the call exists. Waits for the end of a transaction
-- that inserts it. The array is a query of its own, as in lock_batch.
SELECT STRAIGHT_JOIN c.first_id
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        user_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        request_id VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id AND c.request_id = j.request_id
LOCK IN SHARE MODE
