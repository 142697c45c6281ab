-- [[activity, award, server, segment], ...], sorted
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, a.issued
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k           FOR ORDINALITY,
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        server      BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        segment     BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN award_issued AS a FORCE INDEX (PRIMARY)
    ON a.activity_id = j.activity_id AND a.award_id = j.award_id
    AND a.server = j.server AND a.segment = j.segment
FOR UPDATE
