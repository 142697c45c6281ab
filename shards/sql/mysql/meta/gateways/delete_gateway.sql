-- [[name, instance]]
DELETE g FROM JSON_TABLE(?, '$[*]' COLUMNS (
    name     VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    instance VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j
STRAIGHT_JOIN gateway AS g FORCE INDEX (PRIMARY)
    ON g.name = j.name AND g.instance = j.instance
