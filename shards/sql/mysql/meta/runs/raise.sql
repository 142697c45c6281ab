-- [[claimed]]. Never lowers it.
UPDATE JSON_TABLE(?, '$[*]' COLUMNS (claimed BIGINT PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR)) AS j
STRAIGHT_JOIN id_run AS r FORCE INDEX (PRIMARY) ON r.only_row = 1
SET r.claimed = GREATEST(r.claimed, j.claimed)
