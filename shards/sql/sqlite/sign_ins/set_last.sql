-- [[user, activity, day, streak]]
UPDATE sign_in_{table} AS a
SET day = j.value ->> 2, streak = j.value ->> 3
FROM json_each($1) AS j
WHERE a.user_id = j.value ->> 0 AND a.activity_id = j.value ->> 1
