-- The latest version of each activity.
SELECT c.activity_id, c.version, c.file_text
FROM campaign AS c
WHERE c.version = (SELECT max(version) FROM campaign WHERE activity_id = c.activity_id)
ORDER BY c.activity_id
