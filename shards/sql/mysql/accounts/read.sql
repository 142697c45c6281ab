-- (user, activity), ... -> the accounts that are there, as they are committed. Without FORCE INDEX a table of a few
-- rows is scanned.
SELECT user_id, activity_id, granted, used, day, day_used, month_used
FROM raffle_account_{table} FORCE INDEX (PRIMARY)
WHERE (user_id, activity_id) IN ({rows})
