-- Updates existing rows; the caller checks the count. An UPDATE with a join would make a temporary table on
-- disk for each batch.
INSERT INTO points_account_{table} (user_id, balance, entries, frozen)
VALUES {rows}
ON DUPLICATE KEY UPDATE balance = VALUES(balance), entries = VALUES(entries), frozen = VALUES(frozen)
