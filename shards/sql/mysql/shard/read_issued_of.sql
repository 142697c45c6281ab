-- [[server]]. As read_issued, by segment.
WITH wanted AS (
    SELECT j.server FROM JSON_TABLE(?, '$[*]' COLUMNS (server BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
)
SELECT i.activity_id, i.award_id, CAST(i.segment AS SIGNED), CAST(SUM(i.issued) AS SIGNED)
FROM (
    SELECT a.activity_id, a.award_id, a.segment, a.issued
    FROM wanted
    STRAIGHT_JOIN award_issued AS a ON a.server = wanted.server
    UNION ALL
    SELECT u.activity_id, u.award_id, u.segment, u.issued
    FROM wanted
    STRAIGHT_JOIN stock_grant AS g FORCE INDEX (PRIMARY) ON g.server = wanted.server
    STRAIGHT_JOIN JSON_TABLE(g.units, '$[*]' COLUMNS (
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        segment     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        issued      BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
    )) AS u
    WHERE g.void = 0
) AS i
GROUP BY i.activity_id, i.award_id, i.segment
ORDER BY i.activity_id, i.award_id, i.segment
