-- [[activity, kind, good, count], ...]
INSERT INTO stock_issued (activity_id, good_kind, good_id, issued)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each($1) WHERE true
ON CONFLICT (activity_id, good_kind, good_id) DO UPDATE SET issued = issued + excluded.issued
