-- [activity]: its latest changes, newest first.
SELECT kind, version, of_version, who, why, at_ms
FROM campaign_change
WHERE activity_id = $1 ->> 0
ORDER BY change_id DESC
LIMIT 1000
