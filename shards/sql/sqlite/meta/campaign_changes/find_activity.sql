-- [activity]: a row when it is published.
SELECT activity_id
FROM campaign
WHERE activity_id = $1 ->> 0
LIMIT 1
