-- [[at_ms, who, what, detail, why]]
INSERT INTO audit_trail (at_ms, who, what, detail, why)
VALUES ($1 ->> '$[0][0]', $1 ->> '$[0][1]', $1 ->> '$[0][2]', $1 ->> '$[0][3]', $1 ->> '$[0][4]')
