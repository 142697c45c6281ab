-- [[activity, kind, good]]. Its form: see calls/lock_batch.sql.
SELECT STRAIGHT_JOIN s.segment, s.total
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        good_kind   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        good_id     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN stock_segment AS s FORCE INDEX (PRIMARY)
    ON s.activity_id = j.activity_id AND s.good_kind = j.good_kind AND s.good_id = j.good_id
FOR UPDATE
