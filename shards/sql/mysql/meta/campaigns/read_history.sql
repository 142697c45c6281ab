-- [activity]: its latest versions without their files, newest first.
SELECT c.version, c.published_at_ms, c.published_by
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN campaign AS c ON c.activity_id = j.activity_id
ORDER BY c.version DESC
LIMIT 1000
