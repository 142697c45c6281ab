-- [[server, grant], ...]
DELETE g
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    server   BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    grant_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_grant AS g FORCE INDEX (PRIMARY)
    ON g.server = j.server AND g.grant_id = j.grant_id
WHERE g.void = 0
