-- {"rows": [[grant, server, epoch, units], ...], "units": [[activity, award, count], ...]}
-- Stock in memory has no servers: the one row is the grant's own.
INSERT INTO stock_grant (grant_id, void) SELECT value ->> 0, 0 FROM json_each($1, '$.rows')
