-- [[grant, server]]. A duplicate key says that the batch has committed.
INSERT INTO stock_grant (grant_id, void) VALUES ($1 ->> '$[0][0]', 1)
