-- [[activity, award]]. Its form: see calls/lock_batch.sql.
SELECT STRAIGHT_JOIN s.segment, s.total
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        award_id    BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN stock_segment AS s FORCE INDEX (PRIMARY)
    ON s.activity_id = j.activity_id AND s.award_id = j.award_id
FOR UPDATE
