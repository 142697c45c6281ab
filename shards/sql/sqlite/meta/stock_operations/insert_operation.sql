-- [activity, kind of the good, good, kind, units, applied or null, who, why, at_ms]
INSERT INTO stock_operation (activity_id, good_kind, good_id, kind, units, applied, who, why, at_ms)
VALUES ($1 ->> 0, $1 ->> 1, $1 ->> 2, $1 ->> 3, $1 ->> 4, $1 ->> 5, $1 ->> 6, $1 ->> 7, $1 ->> 8)
