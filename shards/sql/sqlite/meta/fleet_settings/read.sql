SELECT kind, target, value_json, who, why, set_at_ms, expires_at_ms, revision
FROM fleet_setting
ORDER BY kind, target
LIMIT 1000
