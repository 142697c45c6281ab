-- {"grant": id}
SELECT void FROM stock_grant WHERE grant_id = $1 ->> 'grant'
