-- [[user], ...] -> the accounts that are there.
SELECT a.user_id, a.balance, a.entries, a.frozen
FROM json_each($1) AS wanted
CROSS JOIN points_account_{table} AS a
    ON a.user_id = wanted.value ->> 0
