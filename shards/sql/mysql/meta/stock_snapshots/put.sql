-- [[activity, kind, good, total, left, open, issued, at_ms], ...]. Rows are not counted.
INSERT INTO stock_picture (activity_id, good_kind, good_id, total, units_left, open_units, issued, at_ms)
SELECT j.activity_id, j.good_kind, j.good_id, j.total, j.units_left, j.open_units, j.issued, j.at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    good_kind   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    good_id     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    total       BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    units_left  BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    open_units  BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    issued      BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    at_ms       BIGINT PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
ON DUPLICATE KEY UPDATE total = j.total, units_left = j.units_left, open_units = j.open_units,
                        issued = j.issued, at_ms = j.at_ms
