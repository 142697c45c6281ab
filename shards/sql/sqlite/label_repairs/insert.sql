-- [[user, activity, used, today, day_before, at_ms]]
INSERT INTO label_repair_{table} (user_id, activity_id, used, today, day_before, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM json_each($1)
