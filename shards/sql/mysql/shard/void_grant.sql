-- [[grant, server]]. Waits while the grant's batch is under way; a duplicate key says that it has
-- committed (or is void already), success that it never will.
INSERT INTO stock_grant (server, grant_id, void, epoch, units)
SELECT j.server, j.grant_id, 1, 0, '[]'
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    grant_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    server   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
