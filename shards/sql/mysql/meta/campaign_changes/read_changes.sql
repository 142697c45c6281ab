-- [activity]: its latest changes, newest first.
SELECT c.kind, c.version, c.of_version, c.who, c.why, c.at_ms
FROM JSON_TABLE(?, '$' COLUMNS (
    activity_id BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN campaign_change AS c ON c.activity_id = j.activity_id
ORDER BY c.change_id DESC
LIMIT 1000
