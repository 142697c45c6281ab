-- [[grant, server]]
SELECT g.void
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    grant_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    server   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_grant AS g FORCE INDEX (PRIMARY)
    ON g.server = j.server AND g.grant_id = j.grant_id
