INSERT INTO points_account_{table} (user_id, balance, entries, frozen)
VALUES {rows}
