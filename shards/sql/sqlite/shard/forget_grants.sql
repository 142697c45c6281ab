-- [[grant]]. One lane writes this file, one batch after the other: only the latest can be in doubt.
DELETE FROM stock_grant WHERE grant_id < $1 ->> '$[0][0]'
