-- [[name, activity, share, expires_at_ms]]
INSERT INTO switch_setting (name, activity_id, share, expires_at_ms)
VALUES ($1 ->> '$[0][0]', $1 ->> '$[0][1]', $1 ->> '$[0][2]', $1 ->> '$[0][3]')
