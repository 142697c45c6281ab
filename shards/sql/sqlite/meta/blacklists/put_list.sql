-- [[activity, changes, last_removal, pages, page_users, users, bytes, who, why, at_ms]]
INSERT INTO blacklist (activity_id, changes, last_removal, pages, page_users, users, bytes, who, why, at_ms)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
       value ->> 8, value ->> 9
FROM json_each($1) WHERE true
ON CONFLICT (activity_id) DO UPDATE
SET changes = excluded.changes, last_removal = excluded.last_removal, pages = excluded.pages,
    page_users = excluded.page_users, users = excluded.users, bytes = excluded.bytes, who = excluded.who,
    why = excluded.why, at_ms = excluded.at_ms
