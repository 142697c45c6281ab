-- [activity]: a row when it is published.
SELECT c.activity_id
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN campaign AS c ON c.activity_id = j.activity_id
LIMIT 1
