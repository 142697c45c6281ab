-- Server 0 is the grant's own row.
INSERT INTO stock_grant (server, grant_id, void, epoch, units)
VALUES {rows}
