-- The newest first.
SELECT at_ms, who, why, name, activity_id, before_share, after_share, expires_at_ms
FROM switch_change
ORDER BY change_id DESC
LIMIT 200
