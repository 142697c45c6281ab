-- [[at_ms, who, why, name, activity, before, after, expires_at_ms]]
INSERT INTO switch_change (at_ms, who, why, name, activity_id, before_share, after_share, expires_at_ms)
VALUES ($1 ->> '$[0][0]', $1 ->> '$[0][1]', $1 ->> '$[0][2]', $1 ->> '$[0][3]', $1 ->> '$[0][4]', $1 ->> '$[0][5]',
        $1 ->> '$[0][6]', $1 ->> '$[0][7]')
