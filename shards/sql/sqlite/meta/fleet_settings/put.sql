-- [[kind, target, value, who, why, set_at_ms, expires_at_ms, revision]]
INSERT INTO fleet_setting (kind, target, value_json, who, why, set_at_ms, expires_at_ms, revision)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7
FROM json_each($1) WHERE true
ON CONFLICT (kind, target) DO UPDATE
SET value_json = excluded.value_json, who = excluded.who, why = excluded.why, set_at_ms = excluded.set_at_ms,
    expires_at_ms = excluded.expires_at_ms, revision = excluded.revision
