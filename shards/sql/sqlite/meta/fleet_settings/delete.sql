-- [[kind, target]]
DELETE FROM fleet_setting WHERE kind = $1 ->> '$[0][0]' AND target = $1 ->> '$[0][1]'
