-- (user, activity, award), ..., sorted -> the rows that are there, locked in the order of their keys: the index is
-- read in ranges, one for each. Without FORCE INDEX a table of a few rows is scanned, and a scan waits for the
-- locks of others.
SELECT user_id, activity_id, award_id, given
FROM user_award_{table} FORCE INDEX (PRIMARY)
WHERE (user_id, activity_id, award_id) IN ({rows})
FOR UPDATE
