-- [[server, grant, void, epoch, units]]. Stock in memory has no servers: the one row is the grant's own.
INSERT INTO stock_grant (grant_id, void) SELECT value ->> 1, value ->> 2 FROM json_each($1)
