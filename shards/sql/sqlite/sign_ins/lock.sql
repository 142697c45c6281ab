-- [user, activity]: the sign-in. The whole file is locked already: SQLite has one writer.
SELECT user_id, activity_id, day, streak
FROM sign_in_{table}
WHERE user_id = $1 ->> '$[0]' AND activity_id = $1 ->> '$[1]'
