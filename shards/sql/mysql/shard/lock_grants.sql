-- [[server, grant], ...], sorted: two who roll up at once lock in one order.
SELECT STRAIGHT_JOIN g.grant_id, g.units
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        server   BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        grant_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN stock_grant AS g FORCE INDEX (PRIMARY)
    ON g.server = j.server AND g.grant_id = j.grant_id
WHERE g.void = 0
FOR UPDATE
