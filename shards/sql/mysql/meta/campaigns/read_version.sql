-- [activity, version]
SELECT c.activity_id, c.version, c.file_text
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    version     BIGINT PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN campaign AS c ON c.activity_id = j.activity_id AND c.version = j.version
