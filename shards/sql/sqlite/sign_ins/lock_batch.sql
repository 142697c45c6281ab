-- [[user, activity], ...] -> the rows that are there. The whole file is locked already: SQLite has one writer.
SELECT a.user_id, a.activity_id, a.day, a.streak
FROM json_each($1) AS wanted
CROSS JOIN sign_in_{table} AS a
    ON a.user_id = wanted.value ->> 0 AND a.activity_id = wanted.value ->> 1
