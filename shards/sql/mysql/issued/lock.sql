-- [[server, activity, kind, good, segment, run, lane], ...], sorted: two folds at once lock in the same order.
-- -> index, count
SELECT STRAIGHT_JOIN CAST(j.k AS SIGNED) - 1, i.issued
FROM (
    SELECT * FROM JSON_TABLE(?, '$[*]' COLUMNS (
        k           FOR ORDINALITY,
        server      BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
        activity_id BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
        good_kind   BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
        good_id     BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
        segment     BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
        run         BIGINT PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
        lane        BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR
    )) AS t
) AS j
JOIN stock_issued AS i FORCE INDEX (PRIMARY)
    ON i.server = j.server AND i.activity_id = j.activity_id AND i.good_kind = j.good_kind AND i.good_id = j.good_id
    AND i.segment = j.segment AND i.run = j.run AND i.lane = j.lane
FOR UPDATE
