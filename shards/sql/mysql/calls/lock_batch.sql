-- [[user, activity, request], ...], sorted -> the account, the call that was made under the request id; NULL
-- when there is none. Accounts are locked in the order of the array, because it is joined first and read from
-- front to end. ORDER BY would sort rows that are locked already. The call is looked up after its account is
-- locked, as it is then, so that the account's lock orders equal requests on two gateways. Without FORCE
-- INDEX a table of a few rows is scanned, and a scan waits for the locks of others. The array is a query of
-- its own, because MySQL cannot lock rows of a query with a JSON_TABLE.
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, a.granted, a.used, a.day, a.day_used, a.month_used,
       c.kind, c.activity_id, c.asked, c.first_id, c.made, c.created_at_ms
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k           FOR ORDINALITY,
        user_id     VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        request_id  VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
LEFT JOIN raffle_account_{table} AS a FORCE INDEX (PRIMARY)
    ON a.user_id = j.user_id AND a.activity_id = j.activity_id
LEFT JOIN raffle_call_{table} AS c FORCE INDEX (PRIMARY)
    ON c.user_id = j.user_id AND c.request_id = j.request_id
FOR UPDATE
