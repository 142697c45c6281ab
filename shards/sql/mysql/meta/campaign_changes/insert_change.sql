-- [[activity, kind, version, of_version, who, why, at_ms]]
INSERT INTO campaign_change (activity_id, kind, version, of_version, who, why, at_ms)
SELECT j.activity_id, j.kind, j.version, j.of_version, j.who, j.why, j.at_ms
FROM JSON_TABLE(?, '$[*]' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    kind        VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    version     BIGINT PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    of_version  BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    who         VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    why         VARCHAR(4096) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    at_ms       BIGINT PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
