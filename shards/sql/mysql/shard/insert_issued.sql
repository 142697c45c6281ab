-- [[activity, award, server, segment, count], ...]
INSERT INTO award_issued (activity_id, award_id, server, segment, issued)
SELECT j.activity_id, j.award_id, j.server, j.segment, j.issued
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    server      BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    segment     BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    issued      BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
