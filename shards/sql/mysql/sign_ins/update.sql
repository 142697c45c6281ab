-- Updates existing rows; the caller checks the count. An UPDATE with a join would make a temporary table on
-- disk for each batch.
INSERT INTO sign_in_{table} (user_id, activity_id, day, streak)
VALUES {rows}
ON DUPLICATE KEY UPDATE day = VALUES(day), streak = VALUES(streak)
