-- What was rolled up and what was not yet, in one statement, so that a roll-up in between is seen
-- whole or not at all.
SELECT i.activity_id, i.award_id, CAST(SUM(i.issued) AS SIGNED)
FROM (
    SELECT activity_id, award_id, issued FROM award_issued
    UNION ALL
    SELECT u.activity_id, u.award_id, u.issued
    FROM stock_grant AS g FORCE INDEX (PRIMARY)
    STRAIGHT_JOIN JSON_TABLE(g.units, '$[*]' COLUMNS (
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        segment     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        issued      BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR
    )) AS u
    WHERE g.server > 0 AND g.void = 0
) AS i
GROUP BY i.activity_id, i.award_id
ORDER BY i.activity_id, i.award_id
