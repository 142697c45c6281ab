-- [activity, version]
SELECT activity_id, version, file_text
FROM campaign
WHERE activity_id = $1 ->> 0 AND version = $1 ->> 1
