-- [[activity, award, count], ...]
INSERT INTO award_issued (activity_id, award_id, issued)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($1) WHERE true
ON CONFLICT (activity_id, award_id) DO UPDATE SET issued = issued + excluded.issued
