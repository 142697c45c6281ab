-- [[activity, award, segment, change], ...]
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    segment     INT    PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    units       BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN stock_segment AS s FORCE INDEX (PRIMARY)
    ON s.activity_id = j.activity_id AND s.award_id = j.award_id AND s.segment = j.segment
SET s.total = s.total + j.units
