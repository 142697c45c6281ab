-- [[grant, server]]
SELECT void FROM stock_grant WHERE grant_id = $1 ->> '$[0][0]'
