-- [[activity, user]]
DELETE FROM blacklist_user
WHERE (activity_id, user_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))
