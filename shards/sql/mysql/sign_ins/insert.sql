INSERT INTO sign_in_{table} (user_id, activity_id, day, streak)
VALUES {rows}
