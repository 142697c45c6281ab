INSERT INTO points_entry_{table} (user_id, number, trade, activity_id, amount, balance, business_no, created_at_ms)
VALUES {rows}
