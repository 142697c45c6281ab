-- Updates existing rows; the caller checks the count. An UPDATE with a join would make a temporary table on
-- disk for each batch.
INSERT INTO user_award_{table} (user_id, activity_id, award_id, given)
VALUES {rows}
ON DUPLICATE KEY UPDATE given = VALUES(given)
