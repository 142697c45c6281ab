-- [[user, request], ...], sorted -> index, the record of the call that was made under the request id, locked in the
-- order of the array, because it is joined first and read from front to end. ORDER BY would sort rows that are
-- locked already. The batch has locked its accounts before, so these order equal requests on two gateways. Without
-- FORCE INDEX a table of a few rows is scanned, and a scan waits for the locks of others. The array is a query of
-- its own, because MySQL cannot lock rows of a query with a JSON_TABLE.
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k          FOR ORDINALITY,
        user_id    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        request_id VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id AND c.request_id = j.request_id
FOR UPDATE
