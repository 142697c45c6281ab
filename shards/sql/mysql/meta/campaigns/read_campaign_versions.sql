SELECT activity_id, version, file_text, published_at_ms, published_by
FROM campaign
ORDER BY activity_id, version
