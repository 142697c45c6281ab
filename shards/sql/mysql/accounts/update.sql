-- Updates existing rows; the caller checks the count. An UPDATE with a join would make a temporary table on
-- disk for each batch.
INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used)
VALUES {rows}
ON DUPLICATE KEY UPDATE
    granted = VALUES(granted), used = VALUES(used), day = VALUES(day),
    day_used = VALUES(day_used), month_used = VALUES(month_used)
