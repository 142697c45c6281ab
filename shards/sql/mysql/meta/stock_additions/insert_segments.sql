-- [[activity, award, segment, server, total], ...]
INSERT INTO stock_segment (activity_id, award_id, segment, server, total)
SELECT j.activity_id, j.award_id, j.segment, j.server, j.total
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    segment     INT    PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    server      INT    PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    total       BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
