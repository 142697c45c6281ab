-- [activity, page]: the users of a page.
SELECT user_id
FROM blacklist_user
WHERE activity_id = $1 ->> 0 AND page = $1 ->> 1
