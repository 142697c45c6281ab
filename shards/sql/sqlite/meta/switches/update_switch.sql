-- [[name, activity, share, expires_at_ms]]
UPDATE switch_setting SET share = $1 ->> '$[0][2]', expires_at_ms = $1 ->> '$[0][3]'
WHERE name = $1 ->> '$[0][0]' AND activity_id = $1 ->> '$[0][1]'
