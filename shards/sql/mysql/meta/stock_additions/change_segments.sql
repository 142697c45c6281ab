-- [[activity, kind, good, segment, change], ...]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    good_kind   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    good_id     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    segment     INT    PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    units       BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_segment AS s FORCE INDEX (PRIMARY)
    ON s.activity_id = j.activity_id AND s.good_kind = j.good_kind AND s.good_id = j.good_id
    AND s.segment = j.segment
SET s.total = s.total + j.units
