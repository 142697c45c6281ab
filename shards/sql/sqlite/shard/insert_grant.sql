-- {"grant": id, "units": [[activity, award, count], ...]}
INSERT INTO stock_grant (grant_id, void) VALUES ($1 ->> 'grant', 0);
-- One lane writes this file, one batch after the other: only the latest can be in doubt.
DELETE FROM stock_grant WHERE grant_id < $1 ->> 'grant';
INSERT INTO award_issued (activity_id, award_id, issued)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1, '$.units') WHERE true
ON CONFLICT (activity_id, award_id) DO UPDATE SET issued = issued + excluded.issued
