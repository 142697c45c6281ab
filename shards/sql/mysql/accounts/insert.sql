INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used)
VALUES {rows}
