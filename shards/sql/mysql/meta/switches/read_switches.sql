SELECT name, activity_id, share, expires_at_ms FROM switch_setting ORDER BY name, activity_id
