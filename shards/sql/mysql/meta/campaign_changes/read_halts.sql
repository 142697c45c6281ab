-- The latest pause, resume or close of each activity.
SELECT c.activity_id, c.kind, c.who, c.why, c.at_ms
FROM campaign_change AS c
WHERE c.change_id IN (
    SELECT max(change_id) FROM campaign_change WHERE kind IN ('pause', 'resume', 'close') GROUP BY activity_id
)
ORDER BY c.activity_id
