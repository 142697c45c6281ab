-- [[activity, kind, good, total, left, open, issued, at_ms], ...]
INSERT INTO stock_picture (activity_id, good_kind, good_id, total, units_left, open_units, issued, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each($1) WHERE true
ON CONFLICT (activity_id, good_kind, good_id) DO UPDATE
SET total = excluded.total, units_left = excluded.units_left, open_units = excluded.open_units,
    issued = excluded.issued, at_ms = excluded.at_ms
