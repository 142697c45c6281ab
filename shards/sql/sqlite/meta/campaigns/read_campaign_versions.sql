-- [activity, version]: the next versions of campaigns after this one, by activity and version.
SELECT activity_id, version, file_text
FROM campaign
WHERE (activity_id, version) > ($1 ->> 0, $1 ->> 1)
ORDER BY activity_id, version
LIMIT 100
