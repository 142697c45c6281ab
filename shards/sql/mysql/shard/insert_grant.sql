-- {"rows": [[grant, server, epoch, units], ...], "units": ...}: a row is written only while its
-- server's epoch is the one that the units were granted under, and the shared lock keeps it so
-- until the commit. Lanes share that lock, so they do not wait for each other; whoever raises the
-- epoch waits for them. Server 0 is the grant's own row; its epoch never changes. FORCE INDEX and
-- the query within: as in lock_accounts.
INSERT INTO stock_grant (server, grant_id, void, epoch, units)
SELECT j.server, j.grant_id, 0, j.epoch, j.units
FROM (
    SELECT * FROM JSON_TABLE(?, '$.rows[*]' COLUMNS (
        grant_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        server   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        epoch    BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        units    MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
STRAIGHT_JOIN stock_epoch AS e FORCE INDEX (PRIMARY)
    ON e.server = j.server AND e.epoch = j.epoch
LOCK IN SHARE MODE
