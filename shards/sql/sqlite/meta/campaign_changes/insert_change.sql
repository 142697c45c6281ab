-- [[activity, kind, version, of_version, who, why, at_ms]]
INSERT INTO campaign_change (activity_id, kind, version, of_version, who, why, at_ms)
VALUES ($1 ->> '$[0][0]', $1 ->> '$[0][1]', $1 ->> '$[0][2]', $1 ->> '$[0][3]', $1 ->> '$[0][4]', $1 ->> '$[0][5]',
        $1 ->> '$[0][6]')
