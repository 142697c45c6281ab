-- [[activity, award, server, segment, count], ...], no segment twice. Counts the rows it found.
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    server      BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    segment     BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    issued      BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN award_issued AS a FORCE INDEX (PRIMARY)
    ON a.activity_id = j.activity_id AND a.award_id = j.award_id
    AND a.server = j.server AND a.segment = j.segment
SET a.issued = a.issued + j.issued
