-- [[activity, user, page]]
INSERT INTO blacklist_user (activity_id, user_id, page)
SELECT value ->> 0, value ->> 1, value ->> 2
FROM json_each($1)
