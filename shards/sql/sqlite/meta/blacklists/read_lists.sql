SELECT activity_id, changes, last_removal, pages, page_users, users, bytes, who, why, at_ms
FROM blacklist
ORDER BY activity_id
