-- [activity]: its latest versions without their files, newest first.
SELECT version, published_at_ms, published_by
FROM campaign
WHERE activity_id = $1 ->> 0
ORDER BY version DESC
LIMIT 1000
