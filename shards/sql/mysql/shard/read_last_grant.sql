-- The latest of each server first: that is in the key, and the whole need not be read.
SELECT COALESCE(MAX(latest.grant_id), 0)
FROM (SELECT server, MAX(grant_id) AS grant_id FROM stock_grant GROUP BY server) AS latest
