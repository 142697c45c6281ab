-- [[activity, kind, good, segment, server, total], ...]
INSERT INTO stock_segment (activity_id, good_kind, good_id, segment, server, total)
SELECT j.activity_id, j.good_kind, j.good_id, j.segment, j.server, j.total
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    good_kind   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    good_id     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    segment     INT    PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    server      INT    PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    total       BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
