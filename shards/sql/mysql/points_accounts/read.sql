-- (user), ... -> the accounts that are there, as they are committed. Without FORCE INDEX a table of a few rows is
-- scanned.
SELECT user_id, balance, entries, frozen
FROM points_account_{table} FORCE INDEX (PRIMARY)
WHERE user_id IN ({rows})
