-- [[user, activity, granted, used, day, day_used, month_used], ...]
INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?1)
