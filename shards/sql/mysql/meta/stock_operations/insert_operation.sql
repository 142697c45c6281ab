-- [activity, kind of the good, good, kind, units, applied or null, who, why, at_ms]
INSERT INTO stock_operation (activity_id, good_kind, good_id, kind, units, applied, who, why, at_ms)
SELECT j.activity_id, j.good_kind, j.good_id, j.kind, j.units, j.applied, j.who, j.why, j.at_ms
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    good_kind   BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    good_id     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    kind        VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    units       BIGINT PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    applied     BIGINT PATH '$[5]',
    who         VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    why         MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    at_ms       BIGINT PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
