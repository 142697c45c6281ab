-- [[before_ms]]
DELETE FROM fleet_setting WHERE expires_at_ms > 0 AND expires_at_ms < $1 ->> '$[0][0]'
