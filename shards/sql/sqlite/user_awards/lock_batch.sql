-- [[user, activity, award], ...] -> the rows that are there. The whole file is locked already: SQLite has one writer.
SELECT a.user_id, a.activity_id, a.award_id, a.given
FROM json_each($1) AS wanted
CROSS JOIN user_award_{table} AS a
    ON a.user_id = wanted.value ->> 0 AND a.activity_id = wanted.value ->> 1
    AND a.award_id = wanted.value ->> 2
