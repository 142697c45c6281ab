-- [[kind, target]]
DELETE s FROM fleet_setting AS s
JOIN JSON_TABLE(?, '$[*]' COLUMNS (
    kind   VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    target VARCHAR(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR
)) AS j ON s.kind = j.kind AND s.target = j.target
