-- [[name, activity]]
DELETE FROM switch_setting WHERE name = $1 ->> '$[0][0]' AND activity_id = $1 ->> '$[0][1]'
