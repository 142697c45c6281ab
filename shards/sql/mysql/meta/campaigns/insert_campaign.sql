-- [activity, version, file_text, published_at_ms, published_by]
INSERT INTO campaign (activity_id, version, file_text, published_at_ms, published_by)
SELECT j.activity_id, j.version, j.file_text, j.published_at_ms, j.published_by
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id     BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    version         BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    file_text       MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    published_at_ms BIGINT PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    published_by    VARCHAR(600) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
