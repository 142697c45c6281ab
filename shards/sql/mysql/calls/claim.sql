-- (user, request, kind, activity, asked, first id, made, created_at_ms), ...: as insert.sql. Refuses a call that
-- another transaction is inserting, instead of waiting for it. (MySQL has no such thing, and waits for a second.)
/*M!100600 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */
INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms)
VALUES {rows}
