-- [[user], ...] -> the rows that are there. The whole file is locked already: SQLite has one writer.
SELECT a.user_id, a.balance, a.entries, a.frozen
FROM json_each($1) AS wanted
CROSS JOIN points_account_{table} AS a
    ON a.user_id = wanted.value ->> 0
