INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, created_at_ms)
VALUES {rows}
