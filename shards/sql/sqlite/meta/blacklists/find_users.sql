-- [[activity, user]]: those of these users that are listed.
SELECT b.user_id
FROM json_each($1) AS j
CROSS JOIN blacklist_user AS b ON b.activity_id = j.value ->> 0 AND b.user_id = j.value ->> 1
